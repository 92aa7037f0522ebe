import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import { asF16, f16Tolerance, gemma3Path } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { expectSame } from './expect-same.js'
import { openRawEngine, type RawEngine, type RawResult } from './raw-engine.js'

const directory = temporaryDirectory()
const addon = nativeAddon()
const request = { maxTokens: 6, ignoreEos: true, logprobs: 3 }

/** Some 880 tokens: the window is 512. */
const story = Array.from({ length: 60 }, (_, day) => {
  const [who, what, where] = [
    ['Ada', 'Tom', 'the gardener', 'a fox'][day % 4],
    ['found a key', 'wrote a letter', 'heard a bell', 'lost a coat', 'planted a tree'][day % 5],
    ['by the river', 'in the old mill', 'behind the church'][day % 3],
  ]
  return `On day ${day + 1}, ${who} ${what} ${where}. `
})
const until = (day: number) => story.slice(0, day).join('')

describe('Gemma 3 270M, whose windows slide', () => {
  let scratch: RawEngine
  let engine: RawEngine
  let close: () => Promise<unknown> = () => Promise.resolve()
  beforeAll(async () => {
    const path = await asF16(await gemma3Path(), directory.path)
    const shape = { contextSize: 1280, cachedSequences: 4, threads: 2, cacheBytes: 2 ** 28 }
    scratch = await openRawEngine(path, { ...shape, maxSequences: 1, cachedSequences: 0, cacheBytes: 0 })
    engine = await openRawEngine(path, { ...shape, maxSequences: 2 })
    close = () => Promise.all([scratch.close(), engine.close()])
  })
  afterAll(() => close())

  /** Compares with the run from scratch, and returns the result. */
  async function check(prompt: Int32Array, options: object = {}): Promise<RawResult> {
    const result = await engine.run(prompt, { ...request, ...options })
    const fresh = await scratch.run(prompt, { ...request, cacheKey: String(Math.random()) })
    expectSame(result, fresh, f16Tolerance)
    return result
  }

  it('answers from shared, forked, rewound and restored prefixes as from scratch', { timeout: 400_000 }, async () => {
    const whole = await engine.tokenize(`${until(60)}On the last day,`)
    expect(whole.length).toBeGreaterThan(512 + 300)
    const first = await check(whole, { session: 1 })

    // Another one leaves the path early, while its cells are whole.
    const early = await engine.tokenize(`${until(20)}Then the king said:`)
    expect((await check(early)).finish.cachedTokens).toBeGreaterThan(250)

    // A fork goes its own way, the session is rewound behind its window.
    expect(await addon.sessionFork(engine.native, 1, 2)).toBe(true)
    await addon.sessionCut(engine.native, 1, 400)
    const kept = await addon.sessionTokens(engine.native, 1)
    const other = await engine.tokenize('Suddenly the ')
    const rewound = await check(Int32Array.from([...whole.slice(0, kept), ...other]), { session: 1 })
    expect(rewound.finish.cachedTokens).toBe(kept)
    expect(kept).toBe(400)

    // The fork gives its cells to a long prompt and comes back from main memory, with its window only.
    const long = await engine.tokenize(`A list of things: ${until(40).replaceAll('day', 'night')}`)
    await engine.run(long, { ...request, cacheKey: 'other' })
    expect(engine.stats().snapshots).toBeGreaterThan(0)
    const next = Int32Array.from([...whole, ...first.tokens, ...other])
    const back = await check(next, { session: 2 })
    expect(back.finish.cachedTokens).toBeGreaterThan(whole.length)
    expect(engine.stats().memoryHits).toBe(1)

    // What came back can't be cut behind its window: a checkpoint serves, or nothing does.
    await check(await engine.tokenize(`${until(25)}But the queen`))
  })
})
