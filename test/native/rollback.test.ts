import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon, type NativeEngineOptions } from '../../lib/native.js'
import { writeRandomModel } from '../support/random-model.js'
import { seededRandom } from '../support/seeded-random.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { noRoot } from './bare-addon.mjs'
import { expectSame } from './expect-same.js'
import { openRawEngine, type RawEngine, type RawRequest, type RawResult } from './raw-engine.js'

const directory = temporaryDirectory()
const addon = nativeAddon()
const shape = { contextSize: 4096, cachedSequences: 4, microBatchSize: 64, cacheBytes: 2 ** 26 }
const rollback = 4
const drafts = { draftTokens: 8, adaptDrafts: false }
// Two words, "a" and "b" of the tiny vocabulary, in turns that are hard to foresee, so that many proposals are right and many are wrong.
const [a, b] = [327, 328]
const turns = { frequencyPenalty: 1, repeatLastN: 12 }
const sampler = { biasTokens: Int32Array.of(a, b), biasValues: Float32Array.of(100, 100), ...turns }
const request = { maxTokens: 40, ignoreEos: true, logprobs: 3, sampler }

function words(seed: number, count: number): number[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => (random() < 0.5 ? a : b))
}

describe('a hybrid model that takes proposed tokens back', () => {
  let path: string
  let engine: RawEngine
  let scratch: RawEngine
  const open: RawEngine[] = []
  const make = async (options: Partial<NativeEngineOptions> = {}): Promise<RawEngine> => {
    const made = await openRawEngine(path, { ...shape, rollback, ...options })
    open.push(made)
    return made
  }
  beforeAll(async () => {
    path = await writeRandomModel(join(directory.path, 'lfm2.gguf'), 'lfm2', { layers: 4 })
    engine = await make()
    scratch = await make({ rollback: 0, maxSequences: 1, cachedSequences: 0, cacheBytes: 0 })
  })
  afterAll(async () => {
    await Promise.all(open.map((made) => made.close()))
  })

  const run = (on: RawEngine, prompt: readonly number[], options: RawRequest = {}) =>
    on.run(Int32Array.from(prompt), { ...request, ...options })
  /** Runs a prompt with proposals, and checks the answer against one that has none, computed from scratch. */
  async function check(on: RawEngine, prompt: readonly number[], options: RawRequest = {}): Promise<RawResult> {
    const result = await run(on, prompt, { ...drafts, ...options })
    expectSame(result, await run(scratch, prompt, { ...options, session: 0, cacheKey: String(Math.random()) }))
    return result
  }

  it('says what it says without, whether they are right or wrong', async () => {
    let [proposed, accepted] = [0, 0]
    for (let seed = 1; seed <= 12; seed++) {
      const { finish } = await check(engine, words(seed, 40 + 10 * seed))
      proposed += finish.draftTokens
      accepted += finish.acceptedTokens
    }
    expect(accepted).toBeGreaterThan(20)
    expect(proposed - accepted).toBeGreaterThan(20)
  })

  it('beside others, in few cells', async () => {
    const small = await make({ contextSize: 640, cacheBytes: 2 ** 20 })
    const prompts = Array.from({ length: 12 }, (_, index) => words(index % 5, 60 + 12 * index))
    const results = await Promise.all(prompts.map((prompt) => check(small, prompt)))
    expect(results.some(({ finish }) => finish.draftTokens > finish.acceptedTokens)).toBe(true)
    expect(small.stats()).toMatchObject({ running: 0, cellsUsed: 0 })
  })

  it('beside others whose proposals are longer or shorter', async () => {
    const crowd = await make({ contextSize: 8192, microBatchSize: 512 })
    for (let round = 0; round < 4; round++) {
      const prompts = Array.from({ length: 8 }, (_, index) => words(100 * round + index, 15 + 13 * ((7 * index) % 11)))
      const results = await Promise.all(
        prompts.map((prompt, index) => run(crowd, prompt, { ...drafts, cacheKey: `${round} ${index}` })),
      )
      for (const [index, result] of results.entries()) {
        expectSame(result, await run(scratch, prompts[index] ?? [], { cacheKey: `${round} ${index}` }))
      }
      expect(results.some(({ finish }) => finish.draftTokens > finish.acceptedTokens)).toBe(true)
    }
  })

  it('in micro-batches that are hardly larger', async () => {
    for (const microBatchSize of [3, 8, 65, 66]) {
      const small = await make({ rollback: 64, microBatchSize, batchSize: 128 })
      const { finish } = await check(small, words(80, 150), { draftTokens: 64 })
      expect(finish.draftTokens).toBeGreaterThan(finish.acceptedTokens)
    }
  })

  it('from a draft model', async () => {
    const draftPath = await writeRandomModel(join(directory.path, 'draft.gguf'), 'llama')
    const drafted = await openRawEngine(path, { ...shape, rollback }, draftPath)
    open.push(drafted)
    const { finish } = await check(drafted, words(70, 60))
    expect(drafted.stats().draftModelSteps).toBeGreaterThan(0)
    expect(finish.draftTokens).toBeGreaterThan(finish.acceptedTokens)
  })

  // An answer that ends within what was proposed leaves a state that is taken back only in its next decode.
  it.each([20, 21, 22, 23, 24, 25, 26, 27])('goes on behind an answer of %i words, forked and saved', async (count) => {
    const first = words(50, 120)
    const stop = [(await run(scratch, first)).text.slice(0, count)]
    const session = 100 * count
    const { tokens, finish } = await check(engine, first, { session, stop })
    expect(finish).toMatchObject({ reason: 'stop', outputTokens: count })
    expect(await addon.sessionFork(engine.native, session, session + 1)).toBe(true)
    const saved = await addon.sessionSave(engine.native, session)
    if (saved === undefined) throw new Error('nothing was saved')
    await addon.sessionRestore(engine.native, session + 2, noRoot, saved)
    const past = [...first, ...tokens]
    for (const [index, name] of [session, session + 1, session + 2].entries()) {
      const { finish } = await check(engine, [...past, ...words(60 + index, 9)], { session: name })
      expect(finish.cachedTokens).toBeGreaterThanOrEqual(past.length - 1)
    }
  })
})

it('a model that can go nowhere back is refused with rollback, and taken without', async () => {
  const mamba = await writeRandomModel(join(directory.path, 'mamba.gguf'), 'mamba')
  await expect(openRawEngine(mamba, { rollback })).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  const engine = await openRawEngine(mamba)
  const { finish } = await engine.run(Int32Array.from(words(1, 60)), { ...request, ...drafts })
  expect(finish).toMatchObject({ reason: 'length', draftTokens: 0 })
  await engine.close()
})
