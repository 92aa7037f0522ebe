import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon, type NativeEngineOptions } from '../../lib/native.js'
import { array, u32 } from '../support/gguf-writer.js'
import { type RandomArchitecture, type RandomModelOptions, writeRandomModel } from '../support/random-model.js'
import { headedModels, spokenSampler, spokenText, writeHeadedModel } from '../support/spoken-words.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { noRoot } from './bare-addon.mjs'
import { expectSame } from './expect-same.js'
import { openRawEngine, type RawEngine, type RawRequest, type RawResult } from './raw-engine.js'

const directory = temporaryDirectory()
const addon = nativeAddon()
const rollback = 4
const shape = { contextSize: 4096, cachedSequences: 4, microBatchSize: 64, cacheBytes: 2 ** 26, rollback }
const alone = { maxSequences: 1, cachedSequences: 0, cacheBytes: 0 }
const drafts = { draftTokens: rollback, adaptDrafts: false }
const request = { maxTokens: 40, ignoreEos: true, logprobs: 3, sampler: spokenSampler }
const seeds = Array.from({ length: 8 }, (_, index) => index + 1)

/** What of an answer depends on what the head has read. */
const proposals = ({ finish }: RawResult): string => `${finish.acceptedTokens} of ${finish.draftTokens}`

describe.each(headedModels)('the trained head of a %s, %s', (...kind) => {
  let files: Awaited<ReturnType<typeof writeHeadedModel>>
  /** Without the head, and with it; each computes its texts from scratch, one by one. */
  let plain: RawEngine
  let fresh: RawEngine
  const open: RawEngine[] = []
  const make = async (options: Partial<NativeEngineOptions> = {}, withHead = true): Promise<RawEngine> => {
    const { path, headPath } = files
    const mtp = withHead && headPath === undefined
    const made = await openRawEngine(path, { ...shape, ...options }, withHead ? headPath : undefined, mtp)
    open.push(made)
    return made
  }
  beforeAll(async () => {
    files = await writeHeadedModel(directory.path, kind)
    plain = await make({ ...alone, rollback: 0 }, false)
    fresh = await make(alone)
  })
  afterAll(async () => {
    await Promise.all(open.map((made) => made.close()))
  })

  const run = (on: RawEngine, prompt: readonly number[], options: RawRequest = {}) =>
    on.run(Int32Array.from(prompt), { ...request, ...drafts, ...options })

  /**
   * The words must be those without a head, and the proposals those of a head that reads the text from scratch. Where two
   * words are nearly alike rounding may choose another one, so a text in ten may have others.
   */
  async function check(texts: readonly (readonly number[])[], results: readonly RawResult[]): Promise<void> {
    let alike = 0
    for (const [index, text] of texts.entries()) {
      const result = results[index]
      if (result === undefined) throw new Error('a text was not run')
      expectSame(result, await run(plain, text, { draftTokens: 0, maxTokens: result.tokens.length }))
      alike += proposals(result) === proposals(await run(fresh, text, { maxTokens: result.tokens.length })) ? 1 : 0
    }
    expect(alike).toBeGreaterThanOrEqual(Math.ceil(0.9 * texts.length))
  }

  it('proposes tokens, right and wrong ones, and no word changes', async () => {
    let [proposed, accepted] = [0, 0]
    for (const seed of seeds) {
      const text = spokenText(seed, 20 + 10 * seed)
      const result = await run(fresh, text)
      expectSame(result, await run(plain, text, { draftTokens: 0 }))
      proposed += result.finish.draftTokens
      accepted += result.finish.acceptedTokens
    }
    expect(accepted).toBeGreaterThan(40)
    expect(proposed - accepted).toBeGreaterThan(40)
    expect(fresh.stats().draftModelSteps).toBeGreaterThan(accepted)
  })

  // Prompts of all lengths in one batch. What is proposed behind them is looked at one by one: together, texts that end
  // and those that wait leave less room for proposals.
  it('reads what is computed beside others, in batches of all shapes', async () => {
    for (const microBatchSize of [512, 64, 7]) {
      const engine = await make({ microBatchSize, batchSize: 1024, cachedSequences: seeds.length })
      const first = seeds.map((seed) => spokenText(20 + seed, 15 + 13 * ((7 * seed) % 11)))
      const begun = await Promise.all(
        first.map((text, index) => run(engine, text, { session: index + 1, draftTokens: 0, maxTokens: 2 })),
      )
      const texts = first.map((text, index) => [...text, ...(begun[index]?.tokens ?? []), ...spokenText(index, 2)])
      const results: RawResult[] = []
      for (const [index, text] of texts.entries()) results.push(await run(engine, text, { session: index + 1 }))
      await check(texts, results)
      const together = await Promise.all(first.map((text, index) => run(engine, text, { cacheKey: `${index}` })))
      for (const [index, text] of first.entries()) {
        const result = together[index]
        if (result !== undefined) expectSame(result, await run(plain, text, { draftTokens: 0 }))
      }
    }
  })

  it('has read what another request has computed', async () => {
    const engine = await make()
    const texts: number[][] = []
    const results: RawResult[] = []
    for (const seed of seeds) {
      const first = spokenText(40 + seed, 12)
      const { tokens } = await run(engine, first, { cacheKey: `${seed}`, maxTokens: 6 })
      const text = [...first, ...tokens, ...spokenText(60 + seed, 1)]
      texts.push(text)
      results.push(await run(engine, text, { cacheKey: `${seed}` }))
      expect(results.at(-1)?.finish.cachedTokens).toBeGreaterThanOrEqual(first.length)
    }
    await check(texts, results)
  })

  it('goes with sessions that are continued, forked, saved and restored', async () => {
    const engine = await make({ cachedSequences: 8 })
    const texts: number[][] = []
    const results: RawResult[] = []
    for (const seed of seeds) {
      const first = spokenText(80 + seed, 9)
      const session = 10 * seed
      const { tokens } = await run(engine, first, { session, maxTokens: 4 + seed })
      expect(await addon.sessionFork(engine.native, session, session + 1)).toBe(true)
      const saved = await addon.sessionSave(engine.native, session)
      if (saved === undefined) throw new Error('nothing was saved')
      await addon.sessionRestore(engine.native, session + 2, noRoot, saved)
      for (const name of [session + 2, session + 1, session]) {
        const text = [...first, ...tokens, ...spokenText(90 + name, 1)]
        texts.push(text)
        results.push(await run(engine, text, { session: name }))
        expect(results.at(-1)?.finish.cachedTokens).toBeGreaterThanOrEqual(first.length + tokens.length - 1)
        await addon.sessionForget(engine.native, name)
      }
    }
    await check(texts, results)
  })

  it('comes back from main memory with what gave way', async () => {
    const engine = await make({ contextSize: 512, cachedSequences: 1 })
    const texts: number[][] = []
    const results: RawResult[] = []
    for (const seed of seeds) {
      const first = spokenText(300 + seed, 150)
      const { tokens } = await run(engine, first, { session: seed })
      await run(engine, spokenText(400 + seed, 440), { maxTokens: 8 })
      const text = [...first, ...tokens, ...spokenText(500 + seed, 6)]
      texts.push(text)
      results.push(await run(engine, text, { session: seed }))
      await addon.sessionForget(engine.native, seed)
    }
    expect(engine.stats().memoryHits).toBeGreaterThanOrEqual(seeds.length)
    await check(texts, results)
  })

  // A step of the stream takes much less time than the prompt, which is computed between many of them then. Of a hybrid
  // model nothing is sliced: there the prompt takes part in the stream's steps.
  it('reads what is computed beside a stream', async () => {
    const engine = await make({ maxSequences: 2, stepTargetMs: 0.5 })
    const stream = run(engine, spokenText(700, 12), { maxTokens: 1500, cacheKey: 'stream' })
    const texts = seeds.slice(0, 3).map((seed) => spokenText(700 + seed, 400))
    const results: RawResult[] = []
    for (const [index, text] of texts.entries()) results.push(await run(engine, text, { cacheKey: `${index}` }))
    expect((await stream).finish.reason).toBe('length')
    await check(texts, results)
  })

  it('proposes where it pays', async () => {
    const engine = await make()
    const { finish } = await run(engine, spokenText(1, 40), { adaptDrafts: true, maxTokens: 300 })
    expect(finish.reason).toBe('length')
    const silent = await run(engine, spokenText(1, 40), { draftModel: false })
    expect(silent.finish.draftTokens).toBeLessThan(rollback * 40)
  })
})

/** Leaves the first numbers of a tensor alone. */
const cut =
  (name: string, ...dimensions: readonly number[]): NonNullable<RandomModelOptions['change']> =>
  (tensor) => {
    if (tensor.name !== name || tensor.data === undefined) return tensor
    const count = dimensions.reduce((product, dimension) => product * dimension, 1)
    return { ...tensor, dimensions, data: tensor.data.slice(0, count) }
  }

const int64 = 27 // ggml_type
const int64Bytes = (numbers: readonly number[]) => new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer)

describe('a trained head in a file of its own', () => {
  const write = (name: string, architecture: RandomArchitecture, options: RandomModelOptions = {}) =>
    writeRandomModel(join(directory.path, name), architecture, {
      layers: architecture === 'eagle3' ? 1 : 4,
      ...options,
    })
  const map = (ids: readonly number[]): RandomModelOptions => ({
    added: [{ name: 'd2t', dimensions: [ids.length], type: int64, data: int64Bytes(ids) }],
    change: cut('output.weight', 64, ids.length),
  })

  it('may know some of the tokens only', async () => {
    const engine = await openRawEngine(
      await write('some.gguf', 'qwen3'),
      shape,
      await write('map.gguf', 'eagle3', map([100, 7, 42])),
    )
    const options = { ...drafts, maxTokens: 30, ignoreEos: true }
    const { finish } = await engine.run(Int32Array.from(spokenText(1, 40)), options)
    expect(finish).toMatchObject({ reason: 'length' })
    expect(finish.draftTokens).toBeGreaterThan(30)
    await engine.close()
  })

  it.each<[string, RandomArchitecture, RandomModelOptions, RegExp]>([
    ['a model that hands nothing out', 'qwen2', {}, /does not hand out .* "qwen2"/],
    ['a model with sliding windows', 'gemma3', {}, /can't take back/],
    [
      'a model of few layers',
      'qwen3',
      { metadata: { 'eagle3.target_layers': array('int32', [1, 2, 4]) } },
      /reads layer 4/,
    ],
    [
      'a wider model',
      'qwen3',
      { metadata: { 'eagle3.target_hidden_size': u32(32) }, change: cut('fc.weight', 96, 64) },
      /reads 96 numbers/,
    ],
    [
      'states of another width',
      'qwen3',
      { metadata: { 'eagle3.embedding_length_out': u32(32) } },
      /does not fit together/,
    ],
    ['another vocabulary', 'llama', {}, /tokens, and the model has/],
    ['a map of tokens that are not there', 'qwen3', map([5, 100_000]), /names some that the model does not have/],
  ])('is refused with %s', async (name, architecture, options, message) => {
    const model = await write(`${name} model.gguf`, architecture)
    const head = await write(`${name}.gguf`, 'eagle3', options)
    const error: unknown = await openRawEngine(model, shape, head).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: expect.stringMatching(/ERR_UNSUPPORTED|ERR_MODEL_REJECTED/) as string })
    expect((error as Error).message).toMatch(message)
  })
})
