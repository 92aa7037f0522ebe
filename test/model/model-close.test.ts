import { EventEmitter, once } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { Model } from '../../lib/model/index.js'
import { letters, openFake, turns } from '../support/fake-model.js'

describe('a model that cannot generate', () => {
  it.each([
    ['bert', {}],
    ['nomic-bert-moe', {}],
    ['gemma-embedding', {}],
    ['t5', { hasEncoder: true }],
    ['t5encoder', { hasDecoder: false }],
    ['llada', {}],
    ['other', { metadata: { 'other.attention.causal': 'false' } }],
  ])('of the architecture %s says so and still tokenizes', async (architecture, info) => {
    const { model, addon } = await openFake({ info: { architecture, ...info } })
    expect(model.info).toMatchObject({ canGenerate: false, cacheCells: 0 })
    const refusal = expect.objectContaining({ code: 'ERR_UNSUPPORTED' })
    expect(() => model.generate('x')).toThrow(refusal)
    expect(() => model.chat('x')).toThrow(refusal)
    expect(() => model.metrics()).toThrow(refusal)
    expect(await model.tokenize('a')).toHaveLength(1)
    expect(addon.calls).not.toContain('engineCreate')
    await model.close()
    expect(addon.calls).toContain('modelClose')
  })
})

describe('closing', () => {
  it('is idempotent and frees engine, then model, once', async () => {
    const { model, addon } = await openFake()
    await Promise.all([model.close(), model.close(), model[Symbol.asyncDispose]()])
    await model.close()
    expect(addon.calls.filter((call) => /lose$/.test(call))).toEqual(['engineClose', 'modelClose'])
  })

  it('frees the model once texts that are being read, and hold its weights, are read', async () => {
    const { model, addon } = await openFake()
    const reading = new EventEmitter()
    Object.assign(addon, { tokenize: () => once(reading, 'done').then(() => Int32Array.of(1)) })
    const tokens = model.tokenize('x')
    await turns(1)
    const closed = model.close()
    await turns(2)
    expect(addon.calls).not.toContain('modelClose')
    reading.emit('done')
    await closed
    expect(addon.calls).toContain('modelClose')
    expect(await tokens).toHaveLength(1)
  })

  it.each([
    ['generate', (model: Model) => model.generate('x')],
    ['generate with wrong options', (model: Model) => model.generate('x', { topK: 1.5 })],
    ['chat', (model: Model) => model.chat('x')],
    ['tokenize', (model: Model) => model.tokenize('x')],
    ['detokenize', (model: Model) => model.detokenize([1])],
    ['countTokens', (model: Model) => model.countTokens([{ role: 'user', content: 'x' }])],
    ['template', (model: Model) => model.template('x')],
    ['metrics', (model: Model) => model.metrics()],
  ])('makes %s fail with ERR_DISPOSED', async (_title, call) => {
    const { model } = await openFake()
    await model.close()
    await expect((async () => call(model))()).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    expect(model.info.architecture).toBe('llama')
  })

  it.each([
    ['while prompts are tokenized', 0],
    ['while they generate', 10],
  ])('%s ends every generation with ERR_DISPOSED', async (_title, count) => {
    const { model, addon } = await openFake({ script: letters(5000) }, { parallel: 2 })
    const all = [model.generate('x'), model.chat('y'), model.generate([1])]
    const read = (async () => {
      for await (const part of model.generate('z')) expect(part.type).toBe('text')
    })()
    const settled = Promise.allSettled([...all, read])
    await turns(count)
    await model.close()
    for (const each of await settled) expect(each).toMatchObject({ reason: { code: 'ERR_DISPOSED' } })
    expect(addon.engine().running).toBe(0)
  })

  it('does not touch generations that ended', async () => {
    const { model } = await openFake()
    const generation = model.generate('x')
    await generation
    await model.close()
    generation.abort()
    expect(await generation).toMatchObject({ text: 'x' })
  })
})
