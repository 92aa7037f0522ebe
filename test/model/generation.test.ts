import { describe, expect, it } from 'vitest'
import { openModel, type Part } from '../../lib/model/index.js'
import { createFakeAddon } from '../support/fake-addon.js'
import { collect, letters, openFake, readParts, textOfParts, turns, watchRejections } from '../support/fake-model.js'

watchRejections()

describe('a generation', () => {
  it('gives the result when awaited, and the same one again', async () => {
    const { model } = await openFake()
    const generation = model.generate('hello')
    const result = await generation
    expect(result.text).toBe('hello')
    expect(result.message).toEqual({ role: 'assistant', content: 'hello' })
    expect(result.finishReason).toBe('stop')
    expect(result.usage).toMatchObject({ inputTokens: 6, outputTokens: 7, cachedTokens: 0 })
    expect([...result.tokens]).toEqual([256, 104, 101, 108, 108, 111, 257])
    expect(await generation).toBe(result)
  })

  it('starts before anybody reads', async () => {
    const { model, addon } = await openFake()
    const generation = model.generate('abc')
    await turns(12)
    expect(addon.engine().outputTokens).toBe(5)
    expect((await generation).text).toBe('abc')
  })

  it('yields parts whose text is the text of the result, and finish last', async () => {
    const { model } = await openFake({ script: () => [...Buffer.from('grüße 😀!')] })
    const generation = model.generate('x')
    const parts = await readParts(generation)
    expect(parts.at(-1)).toMatchObject({ type: 'finish', finishReason: 'stop' })
    expect(parts.filter(({ type }) => type === 'text').every((part) => part.type === 'text' && part.text !== '')).toBe(
      true,
    )
    expect(textOfParts(parts)).toBe('grüße 😀!')
    expect((await generation).text).toBe('grüße 😀!')
    const tokens = parts.flatMap((part) => (part.type === 'text' ? [...part.tokens] : []))
    expect(tokens).toEqual([...Buffer.from('grüße 😀!')])
  })

  it('can be iterated, iterated again, read as text and awaited at once', async () => {
    const { model } = await openFake()
    const generation = model.generate('all the same')
    const readings = await Promise.all([
      readParts(generation).then(textOfParts),
      collect(generation.text),
      generation.then(({ text }) => text),
      collect(generation.text),
    ])
    expect(new Set(readings)).toEqual(new Set(['all the same']))
    expect(await collect(generation.text)).toBe('all the same')
    expect(textOfParts(await readParts(generation))).toBe('all the same')
  })

  it('serves calls of next() in their order', async () => {
    const { model } = await openFake()
    const iterator = model.generate('abc')[Symbol.asyncIterator]()
    const results = await Promise.all([
      iterator.next(),
      iterator.next(),
      iterator.next(),
      iterator.next(),
      iterator.next(),
    ])
    const types = results.map(({ value }) => value?.type)
    expect(types).toEqual(['text', 'text', 'text', 'finish', undefined])
    expect(results.at(-1)?.done).toBe(true)
    expect((await iterator.next()).done).toBe(true)
  })

  it('reports log probabilities and progress when asked', async () => {
    const { model } = await openFake()
    const generation = model.generate('ab', { logprobs: 2, progress: true })
    const parts = await readParts(generation)
    expect(parts[0]).toEqual({ type: 'progress', computedTokens: 3, inputTokens: 3 })
    for (const part of parts) if (part.type === 'text') expect(part.logprobs).toHaveLength(part.tokens.length)
    const { logprobs, tokens } = await generation
    expect(logprobs?.map((each) => each[0]?.token)).toEqual([...tokens])
  })

  it('is a web stream of parts', async () => {
    const { model } = await openFake()
    const parts: Part[] = []
    for await (const part of model.generate('stream').toReadableStream()) parts.push(part)
    expect(textOfParts(parts)).toBe('stream')
  })
})

describe('the end of a generation', () => {
  it.each([
    ['maxTokens', { maxTokens: 2 }, 'length', '\0a'],
    ['a stop string', { stop: 'cd' }, 'stop', 'ab'],
    ['the first of several stop strings', { stop: ['zz', 'bc', 'cd'] }, 'stop', 'a'],
  ] as const)('at %s', async (_title, options, finishReason, text) => {
    const { model } = await openFake({
      script: (prompt) => [...(finishReason === 'length' ? [0] : []), ...prompt.slice(1)],
    })
    const result = await model.generate('abcde', options)
    expect(result.finishReason).toBe(finishReason)
    expect(result.text).toBe(text)
  })

  it('at the end of the context is told from maxTokens', async () => {
    const addon = createFakeAddon({ script: letters(1000) })
    const model = await openModel({ path: 'x' }, { contextSize: 64, parallel: 1 }, addon)
    expect(await model.generate('a'.repeat(59))).toMatchObject({ finishReason: 'context-full', text: 'aaaa' })
    expect(await model.generate('a'.repeat(59), { maxTokens: 4 })).toMatchObject({ finishReason: 'length' })
    expect(await model.generate('a'.repeat(59), { maxTokens: 9 })).toMatchObject({ finishReason: 'context-full' })
    expect(await model.generate('a'.repeat(62))).toMatchObject({ finishReason: 'context-full', text: 'a' })
    await expect(model.generate('a'.repeat(63))).rejects.toMatchObject({
      code: 'ERR_CONTEXT_FULL',
      details: { promptTokens: 64, contextSize: 64 },
    })
  })
})
