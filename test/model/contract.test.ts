import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel, type Model, type ModelOptions, type Part } from '../../lib/model/index.js'
import { createFakeAddon } from '../support/fake-addon.js'
import { textOf } from '../support/fake-vocabulary.js'
import { predict } from '../support/script.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const addonPath = join(import.meta.dirname, '../../build/Release/llamero.node')
const directory = temporaryDirectory()
const tick = (ms = 2) => new Promise((resolve) => setTimeout(resolve, ms))

interface Implementation {
  readonly name: string
  readonly present: boolean
  readonly open: (options?: ModelOptions) => Promise<Model>
}

const implementations: readonly Implementation[] = [
  {
    name: 'the fake addon',
    present: true,
    open: (options) =>
      openModel(
        { path: 'fake' },
        options,
        createFakeAddon({
          info: { addsBos: false, bosToken: -1 },
          script: (tokens) => predict(textOf(tokens, true), { maxTokens: 9000 }).pieces.flatMap((piece) => [...piece]),
        }),
      ),
  },
  {
    name: 'the real addon',
    present: existsSync(addonPath),
    open: async (options) => {
      const path = join(directory.path, 'scripted.gguf')
      if (!existsSync(path)) await writeScriptedModel(path)
      return openModel({ path }, options)
    },
  },
]

const greedy = { temperature: 0 }
const expected = (prompt: string, maxTokens: number) => predict(prompt, { maxTokens }).text

async function collect(texts: AsyncIterable<string>): Promise<string> {
  let all = ''
  for await (const text of texts) all += text
  return all
}

/** Steps of the engine while nothing should run. */
async function stepsOver(model: Model, ms: number): Promise<number> {
  const { steps } = model.metrics()
  await tick(ms)
  return model.metrics().steps - steps
}

async function idle(model: Model): Promise<void> {
  for (let i = 0; i < 500 && model.metrics().running > 0; i++) await tick()
  expect(model.metrics().running).toBe(0)
}

describe.each(implementations.filter(({ present }) => present))('a model over $name', ({ open }) => {
  let model: Model
  beforeAll(async () => {
    model = await open({ parallel: 16, contextSize: 4096 })
  })
  afterAll(() => model.close())

  it.each([
    ['letters', 'K0', 40],
    ['letters in another order', 'say K3', 60],
    ['bytes of an emoji', 'K7', 12],
    ['an emoji that is cut off', 'K7', 6],
    ['one token', 'K1', 1],
  ])('answers with %s to the letter', async (_title, prompt, maxTokens) => {
    const generation = model.generate(prompt, { ...greedy, maxTokens })
    const result = await generation
    expect(result.text).toBe(expected(prompt, maxTokens))
    expect(result.finishReason).toBe('length')
    expect(result.usage.outputTokens).toBe(maxTokens)
    expect(result.tokens).toHaveLength(maxTokens)
    expect(await collect(generation.text)).toBe(result.text)
  })

  it('ends by itself, and goes on when told to', async () => {
    expect(await model.generate('K9', greedy)).toMatchObject({ text: '0123456789', finishReason: 'stop' })
    const going = await model.generate('K9', { ...greedy, ignoreEos: true, maxTokens: 30 })
    expect(going).toMatchObject({ finishReason: 'length' })
    expect(going.text.startsWith('0123456789')).toBe(true)
  })

  it.each([
    [['45'], '0123'],
    [['x', '9'], '012345678'],
    [['789', '678'], '012345'],
    [['0'], ''],
    [['zz'], '0123456789'],
  ])('ends before the first of %j and never shows a part of it', async (stop, text) => {
    const seen: string[] = []
    const generation = model.generate('K9', { ...greedy, stop })
    for await (const piece of generation.text) seen.push(piece)
    expect(seen.join('')).toBe(text)
    expect(await generation).toMatchObject({ text, finishReason: 'stop' })
  })

  it('answers a chat', async () => {
    const { text, message } = await model.chat('K9', greedy)
    expect(text).toBe('0123456789')
    expect(message).toEqual({ role: 'assistant', content: text })
  })

  it('reports log probabilities for every token', async () => {
    const { logprobs, tokens } = await model.generate('K2', { ...greedy, maxTokens: 5, logprobs: 3 })
    expect(logprobs).toHaveLength(5)
    expect(logprobs?.map((each) => each[0]?.token)).toEqual([...tokens])
    for (const entry of logprobs ?? []) for (const { logprob } of entry) expect(logprob).toBeLessThanOrEqual(0)
  })

  it('reports progress that ends with the whole prompt', async () => {
    const generation = model.generate(`${'word '.repeat(300)}K1`, { ...greedy, maxTokens: 2, progress: true })
    const parts: Part[] = []
    for await (const part of generation) parts.push(part)
    const progress = parts.filter((part) => part.type === 'progress')
    expect(progress.at(-1)?.computedTokens).toBe(progress.at(-1)?.inputTokens)
    expect(parts[0]?.type).toBe('progress')
  })

  it('answers 16 requests at once as each alone', async () => {
    const prompts = Array.from({ length: 16 }, (_, i) => `${'x '.repeat(i * 7)}K${i % 7}`)
    const results = await Promise.all(
      prompts.map((prompt, i) => model.generate(prompt, { ...greedy, maxTokens: 30 + i })),
    )
    expect(results.map(({ text }) => text)).toEqual(prompts.map((prompt, i) => expected(prompt, 30 + i)))
  })

  it('stops decoding after break', async () => {
    const generation = model.generate('K4', greedy)
    for await (const part of generation) if (part.type === 'text') break
    await idle(model)
    expect(await stepsOver(model, 30)).toBe(0)
    const { text, finishReason, usage } = await generation
    expect(finishReason).toBe('abort')
    expect(expected('K4', usage.outputTokens)).toBe(text)
  })

  it.each([
    ['abort()', 'abort'],
    ['dispose', 'dispose'],
  ])('stops decoding after %s, with what there is as the result', async (_title, how) => {
    const generation = model.generate('K5', greedy)
    await tick(20)
    if (how === 'abort') generation.abort()
    else await generation[Symbol.asyncDispose]()
    const { text, finishReason, usage } = await generation
    expect(finishReason).toBe('abort')
    expect(text).toBe(usage.outputTokens === 0 ? '' : expected('K5', usage.outputTokens))
    await idle(model)
    expect(await stepsOver(model, 30)).toBe(0)
  })

  it('stops decoding after a signal', async () => {
    const controller = new AbortController()
    const generation = model.generate('K5', { ...greedy, signal: controller.signal })
    await generation.text[Symbol.asyncIterator]().next()
    controller.abort(new Error('enough'))
    await expect(generation).rejects.toThrow('enough')
    await idle(model)
    expect(await stepsOver(model, 30)).toBe(0)
  })

  it('parks what nobody reads at 1,024 tokens, and goes on for a late reader', async () => {
    const before = model.metrics().outputTokens
    const generation = model.generate('K6', { ...greedy, maxTokens: 2500 })
    for (let i = 0; i < 5000 && model.metrics().parked === 0; i++) await tick()
    expect(model.metrics()).toMatchObject({ parked: 1, outputTokens: before + 1024 })
    expect(await stepsOver(model, 30)).toBe(0)
    expect(await collect(generation.text)).toBe(expected('K6', 2500))
    expect(model.metrics().parked).toBe(0)
  })

  it('finds the result of an unread generation complete when it is awaited late', async () => {
    const generation = model.generate('K6', { ...greedy, maxTokens: 1500 })
    for (let i = 0; i < 5000 && model.metrics().parked === 0; i++) await tick()
    expect((await generation).text).toBe(expected('K6', 1500))
  })
})

describe.each(implementations.filter(({ present }) => present))('the context of a model over $name', ({ open }) => {
  it('bounds prompt and answer together', async () => {
    const model = await open({ contextSize: 64, parallel: 2 })
    const { length } = await model.tokenize('K0', { addSpecial: true })
    const result = await model.generate('K0', greedy)
    expect(result).toMatchObject({ finishReason: 'context-full', text: expected('K0', 64 - length) })
    expect(await model.generate(new Int32Array(63).fill(1), greedy)).toMatchObject({ usage: { outputTokens: 1 } })
    for (const size of [64, 65, 1000]) {
      await expect(model.generate(new Int32Array(size).fill(1))).rejects.toMatchObject({
        code: 'ERR_CONTEXT_FULL',
        details: { promptTokens: size, contextSize: 64 },
      })
    }
    await model.close()
  })

  it('ends with the model: what runs, waits and is tokenized rejects with ERR_DISPOSED', async () => {
    const model = await open({ parallel: 2 })
    const running = Array.from({ length: 6 }, (_, i) => model.generate(`K${i}`, greedy))
    const settled = Promise.allSettled(running)
    // Whichever prompt is tokenized first runs first.
    await Promise.race(running.map((generation) => generation.text[Symbol.asyncIterator]().next()))
    const late = Promise.allSettled([model.generate('K1', greedy), model.chat('K2', greedy)])
    await model.close()
    for (const each of [...(await settled), ...(await late)]) {
      expect(each).toMatchObject({ status: 'rejected', reason: { code: 'ERR_DISPOSED' } })
    }
  })
})
