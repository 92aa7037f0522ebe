import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon, type NativeEngineOptions } from '../../lib/native.js'
import { statefulArchitectures, writeRandomModel } from '../support/random-model.js'
import { seededRandom } from '../support/seeded-random.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { noRoot } from './bare-addon.mjs'
import { expectSame } from './expect-same.js'
import { openRawEngine, type RawEngine } from './raw-engine.js'

const directory = temporaryDirectory()
const addon = nativeAddon()
const shape = {
  contextSize: 2048,
  maxSequences: 4,
  cachedSequences: 4,
  threads: 1,
  microBatchSize: 64,
  cacheBytes: 2 ** 26,
}
const kinds = [
  ...(['gemma3', ...statefulArchitectures] as const).map((kind) => ({ kind, rollback: 0 })),
  { kind: 'lfm2', rollback: 4 },
] as const

/** Tokens that mean nothing, the same for the same seed. */
function words(seed: number, count: number): number[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => 10 + Math.floor(random() * 80))
}

const common = { maxTokens: 8, ignoreEos: true, logprobs: 3 }

describe.each(kinds)('on $kind, taking back up to $rollback tokens', ({ kind, rollback }) => {
  const request = { ...common, draftTokens: 2 * rollback, adaptDrafts: false }
  let path: string
  let scratch: RawEngine
  const open: RawEngine[] = []
  beforeAll(async () => {
    path = await writeRandomModel(join(directory.path, `${kind}.gguf`), kind, { layers: 4 })
    scratch = await openRawEngine(path, { ...shape, maxSequences: 1, cachedSequences: 0, cacheBytes: 0 })
    open.push(scratch)
  })
  afterAll(async () => {
    await Promise.all(open.map((engine) => engine.close()))
  })

  const make = async (options: Partial<NativeEngineOptions> = {}): Promise<RawEngine> => {
    const engine = await openRawEngine(path, { ...shape, rollback, ...options })
    open.push(engine)
    return engine
  }
  const fresh = (prompt: readonly number[]) =>
    scratch.run(Int32Array.from(prompt), { ...common, cacheKey: String(Math.random()) })
  /** Runs a prompt, checks it against the run from scratch, and returns how many tokens of it were not computed. */
  async function check(engine: RawEngine, prompt: readonly number[], options: object = {}): Promise<number> {
    const result = await engine.run(Int32Array.from(prompt), { ...request, ...options })
    expectSame(result, await fresh(prompt))
    return result.finish.cachedTokens
  }

  it('a beginning that several requests share is computed twice at most', async () => {
    const engine = await make()
    const shared = words(1, 150)
    await check(engine, [...shared, ...words(2, 40)])
    await check(engine, [...shared, ...words(3, 30)])
    expect(await check(engine, [...shared, ...words(4, 20)])).toBeGreaterThanOrEqual(150)
    expect(await check(engine, [...shared, ...words(2, 40)])).toBeGreaterThanOrEqual(150)
  })

  it('a prompt that comes again starts at its last token', async () => {
    const engine = await make()
    const prompt = words(5, 130)
    await check(engine, prompt)
    expect(await check(engine, prompt)).toBe(129)
  })

  it('requests that arrive together compute their common beginning once', async () => {
    const engine = await make()
    const shared = words(6, 300)
    const prompts = [7, 8, 9].map((seed) => [...shared, ...words(seed, 10)])
    // While the engine computes another prompt they all wait; otherwise the first may be done before the second is there.
    const before = engine.run(Int32Array.from(words(60, 1400)), { ...request, maxTokens: 1 })
    const cached = await Promise.all(prompts.map((prompt) => check(engine, prompt)))
    await before
    expect(cached.filter((tokens) => tokens >= 300)).toHaveLength(2)
  })

  it('a session is forked and rewound, and goes on as if it had never been elsewhere', async () => {
    const engine = await make()
    const first = words(10, 200)
    const answer = await engine.run(Int32Array.from(first), { ...request, session: 1 })
    const second = [...first, ...answer.tokens, ...words(11, 80)]
    expect(await check(engine, second, { session: 1 })).toBeGreaterThan(200)
    expect(await addon.sessionFork(engine.native, 1, 2)).toBe(true)
    expect(await check(engine, [...second, ...words(12, 20)], { session: 2 })).toBeGreaterThanOrEqual(200)
    await addon.sessionCut(engine.native, 1, 205)
    const kept = await addon.sessionTokens(engine.native, 1)
    expect(kept).toBeGreaterThanOrEqual(199)
    expect(kept).toBeLessThanOrEqual(205)
    expect(await check(engine, [...second.slice(0, kept), ...words(13, 6)], { session: 1 })).toBe(kept)
  })

  it('a conversation goes on in a later process from what an earlier one left on disk', async () => {
    const files = { directory: mkdtempSync(join(directory.path, 'cache-')), bytes: 2 ** 30, fingerprint: kind }
    const before = await openRawEngine(path, { ...shape, rollback, cacheFiles: files })
    const prompts = [words(20, 200), words(21, 150)]
    const pasts: number[][] = []
    for (const prompt of prompts) {
      const { tokens } = await before.run(Int32Array.from(prompt), request)
      pasts.push([...prompt, ...tokens])
    }
    await before.close()
    const engine = await make({ cacheFiles: files })
    for (const past of pasts) expect(await check(engine, [...past, ...words(22, 30)])).toBeGreaterThan(past.length - 64)
    expect(engine.stats().diskHits).toBe(2)
  })

  it('a session that was saved goes on elsewhere, and is rewound or computed again there', async () => {
    const engine = await make()
    const first = words(14, 200)
    await check(engine, first, { session: 1 })
    const saved = await addon.sessionSave(engine.native, 1)
    if (saved === undefined) throw new Error('nothing was saved')
    const other = await make()
    await addon.sessionRestore(other.native, 5, noRoot, saved)
    expect(await check(other, [...saved.tokens, ...words(15, 20)], { session: 5 })).toBe(saved.tokens.length)
    await addon.sessionRestore(other.native, 6, noRoot, saved)
    await addon.sessionCut(other.native, 6, 100)
    await check(other, [...first.slice(0, 100), ...words(16, 5)], { session: 6 })
  })

  it('two conversations that alternate each get their past back from main memory', async () => {
    const engine = await make()
    const pasts = [words(17, 260), words(18, 240)]
    for (let round = 0; round < 3; round++) {
      for (const [index, past] of pasts.entries()) {
        const result = await engine.run(Int32Array.from(past), request)
        expectSame(result, await fresh(past))
        if (round > 0) expect(result.finish.cachedTokens).toBeGreaterThan(200)
        pasts[index] = [...past, ...result.tokens, ...words(19 + round, 10)]
      }
    }
    const { memoryHits, checkpointHits, snapshotBytes } = engine.stats()
    expect(memoryHits + checkpointHits).toBeGreaterThanOrEqual(4)
    expect(snapshotBytes).toBeGreaterThan(0)
    // What came back is cut where another one leaves it.
    await check(engine, [...words(17, 260).slice(0, 220), ...words(30, 4)])
    await check(engine, [...words(18, 240).slice(0, 100), ...words(31, 4)])
  })

  it('answers stay right when the cells run short', async () => {
    const engine = await make({ contextSize: 512, maxSequences: 3, cachedSequences: 3 })
    const shared = words(20, 120)
    const prompts = Array.from({ length: 12 }, (_, index) => [
      ...shared.slice(0, 40 + 20 * (index % 5)),
      ...words(40 + (index % 4), 60 + 10 * index),
    ])
    await Promise.all(prompts.map((prompt) => check(engine, prompt)))
    for (const prompt of prompts) await check(engine, [...prompt.slice(0, -20), ...words(60, 5)])
  })

  it('without main memory for checkpoints a request starts where another one ended, or from the beginning', async () => {
    const engine = await make({ cacheBytes: 0 })
    const past = words(50, 150)
    const { tokens } = await engine.run(Int32Array.from(past), request)
    expect(await check(engine, [...past, ...tokens, ...words(51, 10)])).toBe(150 + tokens.length - 1)
    await check(engine, [...past.slice(0, 100), ...words(52, 50)])
    expect(engine.stats()).toMatchObject({ snapshots: 0, snapshotBytes: 0, snapshotsSaved: 0 })
  })
})
