import { describe, expect, it } from 'vitest'
import { predict } from '../support/script.js'
import { addonUnderTest, settled, testEngines, until, type TestEngine } from './test-engine.js'

const engines = testEngines()
const addon = addonUnderTest()
/** A token of the scripted model takes 256 bytes of keys and values, and some for its place. */
const tokenBytes = 280
const shape = {
  contextSize: 1024,
  maxSequences: 4,
  cachedSequences: 4,
  cacheTokens: 0,
  cacheBytes: 2 ** 24,
  batchSize: 512,
}

async function ask(
  engine: TestEngine,
  prompt: string,
  options: object = {},
): Promise<{ text: string; cached: number }> {
  const tokens = await engine.tokenize(prompt)
  const id = engine.submit(tokens, { bufferTokens: 1e6, maxTokens: 6, ignoreEos: true, ...options })
  const text = await engine.inbox.ended(id)
  expect(text).toBe(predict(prompt, { maxTokens: 6, ignoreEos: true }).text)
  return { text, cached: engine.inbox.finish(id)?.cachedTokens ?? -1 }
}

const long = (key: number, fill = 300) => `K${key}${'.'.repeat(fill)}`

describe('main memory', () => {
  it('gives each of two conversations that alternate its past back, but for less than 64 tokens', async () => {
    const engine = await engines(shape)
    const pasts = [long(1), long(2)]
    for (let round = 0; round < 4; round++) {
      for (const [index, past] of pasts.entries()) {
        const { text, cached } = await ask(engine, past)
        const known = (await engine.tokenize(past)).length - 1
        if (round > 0) expect(known - cached).toBeLessThan(64)
        pasts[index] = `${past}${text}${'!'.repeat(10)}`
      }
    }
    const { memoryHits, snapshots, cellsCached } = await settled(engine, 1)
    expect(memoryHits).toBeGreaterThanOrEqual(6)
    // A snapshot of more tokens takes the place of what held their beginning.
    expect(snapshots).toBe(2)
    expect(cellsCached).toBeLessThan(450)
  })

  it('gives nothing to a request with another key', async () => {
    const engine = await engines(shape)
    await ask(engine, long(1), { cacheKey: 'one' })
    await ask(engine, long(2), { cacheKey: 'one' })
    expect((await ask(engine, long(1), { cacheKey: 'two' })).cached).toBe(0)
    expect((await ask(engine, long(1), { cacheKey: 'one' })).cached).toBeGreaterThan(290)
  })

  it('holds a beginning that many prompts share once', async () => {
    const engine = await engines(shape)
    for (let tail = 0; tail < 6; tail++) await ask(engine, `${long(3)}${'abcdefgh'.slice(tail)}`)
    await ask(engine, long(1))
    const { snapshots, snapshotBytes } = await settled(engine, 1)
    expect(snapshots).toBe(1)
    expect(snapshotBytes).toBeLessThan(330 * tokenBytes)
  })

  it('is read once for requests that arrive together', async () => {
    const engine = await engines(shape)
    await ask(engine, long(4))
    await ask(engine, long(1))
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((tail) => ask(engine, `${long(4)}${tail}!`)))
    for (const { cached } of answers) expect(cached).toBeGreaterThan(290)
    const { memoryHits, cellHits } = await settled(engine, 1)
    expect({ memoryHits, cellHits }).toEqual({ memoryHits: 1, cellHits: 3 })
  })

  it('keeps the least recently used no longer than its bytes last', async () => {
    const engine = await engines({ ...shape, cacheBytes: 700 * tokenBytes })
    for (const key of [1, 2, 3, 4]) await ask(engine, long(key))
    const { snapshots, snapshotBytes, snapshotsDropped } = await settled(engine, 1)
    expect({ snapshots, snapshotsDropped }).toEqual({ snapshots: 2, snapshotsDropped: 1 })
    expect(snapshotBytes).toBeLessThanOrEqual(700 * tokenBytes)
    expect((await ask(engine, long(1))).cached).toBe(0)
    expect((await ask(engine, long(3))).cached).toBeGreaterThan(290)
  })

  it('takes nothing that is computed faster than copied, and nothing at all without bytes', async () => {
    const engine = await engines(shape)
    for (const key of [1, 2, 3]) await ask(engine, long(key, 50))
    expect(await settled(engine, 1)).toMatchObject({ snapshots: 0, snapshotsSaved: 0 })
    const none = await engines({ ...shape, cacheBytes: 0 })
    for (const key of [1, 2, 1]) expect((await ask(none, long(key))).cached).toBe(0)
    expect(await settled(none, 1)).toMatchObject({ snapshots: 0, snapshotsSaved: 0 })
  })

  it('brings a session back that had to give its cells to others', async () => {
    const engine = await engines(shape)
    const { text } = await ask(engine, long(5), { session: 1 })
    const kept = await addon.sessionTokens(engine.native, 1)
    await ask(engine, long(1, 900))
    expect((await settled(engine, 1)).cellsCached).toBeLessThan(950)
    expect(await addon.sessionTokens(engine.native, 1)).toBe(kept)
    const next = await ask(engine, `${long(5)}${text}?`, { session: 1 })
    expect(next.cached).toBe(kept)
    expect((await settled(engine, 1)).memoryHits).toBe(1)
  })

  it('serves forks, cuts and saves of such a session', async () => {
    const engine = await engines(shape)
    const { text } = await ask(engine, long(5), { session: 1 })
    const kept = await addon.sessionTokens(engine.native, 1)
    const evict = () => ask(engine, long(1, 900))
    await evict()
    expect(await addon.sessionFork(engine.native, 1, 2)).toBe(true)
    await addon.sessionCut(engine.native, 1, 200)
    expect(await addon.sessionTokens(engine.native, 1)).toBe(200)
    expect(await addon.sessionTokens(engine.native, 2)).toBe(kept)
    const saved = await addon.sessionSave(engine.native, 1)
    expect(saved?.tokens).toEqual((await engine.tokenize(long(5))).slice(0, 200))
    await evict()
    expect((await ask(engine, `${long(5)}${text}?`, { session: 2 })).cached).toBe(kept)
    await addon.sessionForget(engine.native, 1)
    await addon.sessionForget(engine.native, 2)
    expect(await addon.sessionTokens(engine.native, 1)).toBe(0)
  })

  it('keeps sessions when others need the bytes', async () => {
    const engine = await engines({ ...shape, cacheBytes: 700 * tokenBytes })
    await ask(engine, long(5), { session: 1 })
    for (const key of [1, 2]) await ask(engine, long(key, 900))
    for (const key of [1, 2, 3, 4]) await ask(engine, long(key))
    expect(await addon.sessionTokens(engine.native, 1)).toBeGreaterThan(300)
    expect((await ask(engine, long(5), { session: 1 })).cached).toBeGreaterThan(290)
  })

  it('is empty when all was dropped and forgotten', async () => {
    const engine = await engines(shape)
    await ask(engine, long(5), { session: 1 })
    for (const key of [1, 2]) await ask(engine, long(key, 900))
    await addon.cacheDrop(engine.native)
    expect(await addon.sessionTokens(engine.native, 1)).toBeGreaterThan(300)
    await addon.sessionForget(engine.native, 1)
    await addon.cacheDrop(engine.native)
    expect(engine.stats()).toMatchObject({ cellsUsed: 0, cellsCached: 0, snapshots: 0, snapshotBytes: 0 })
  })

  it('gives a request that was preempted what it had computed', async () => {
    const engine = await engines({ ...shape, contextSize: 512, maxSequences: 2 })
    // Unread, so that it is certainly still there when the other comes.
    const low = engine.submit(await engine.tokenize(long(6)), {
      bufferTokens: 20,
      maxTokens: 150,
      ignoreEos: true,
      priority: -1,
    })
    await until(engine, ({ parked }) => parked === 1)
    await ask(engine, long(1, 400), { priority: 1 })
    engine.acknowledge(low, -1)
    expect(await engine.inbox.ended(low)).toBe(predict(long(6), { maxTokens: 150, ignoreEos: true }).text)
    const { preemptions, memoryHits, promptTokens } = await settled(engine, 1)
    expect({ preemptions, memoryHits }).toEqual({ preemptions: 1, memoryHits: 1 })
    expect(promptTokens).toBeLessThan(720)
  })
})
