import { describe, expect, it } from 'vitest'
import { predict } from '../support/script.js'
import { noRoot } from './bare-addon.mjs'
import { addonUnderTest, testEngines, type TestEngine } from './test-engine.js'

const engines = testEngines()
const shape = { contextSize: 4096, maxSequences: 4, cachedSequences: 8, batchSize: 512 }
const prompt = `K5${'.'.repeat(300)}`
const addon = addonUnderTest()

async function ask(engine: TestEngine, text: string, options: object): Promise<{ text: string; cached: number }> {
  const id = engine.submit(await engine.tokenize(text), {
    bufferTokens: 1e6,
    maxTokens: 6,
    ignoreEos: true,
    ...options,
  })
  return { text: await engine.inbox.ended(id), cached: engine.inbox.finish(id)?.cachedTokens ?? -1 }
}

const expected = (text: string) => predict(text, { maxTokens: 6, ignoreEos: true }).text

describe('what is kept for a session', () => {
  it('outlasts the requests of others, which prefixes of nobody do not', async () => {
    const engine = await engines(shape)
    const { text } = await ask(engine, prompt, { session: 1 })
    for (const key of [1, 2, 3]) await ask(engine, `K${key}${'.'.repeat(99)}`, {})
    const next = await ask(engine, `${prompt}${text}?`, { session: 1 })
    expect(next.cached).toBeGreaterThan(300)
    expect(next.text).toBe(expected(`${prompt}${text}?`))
  })

  it('is forked without computing, and each branch goes its own way', async () => {
    const engine = await engines(shape)
    await ask(engine, prompt, { session: 1 })
    const { steps } = engine.stats()
    expect(await addon.sessionFork(engine.native, 1, 2)).toBe(true)
    expect(await addon.sessionFork(engine.native, 99, 3)).toBe(false)
    expect(engine.stats().steps).toBe(steps)
    const branches = await Promise.all([
      ask(engine, `${prompt}ab`, { session: 1 }),
      ask(engine, `${prompt}K5K5!`, { session: 2 }),
    ])
    expect(branches.map(({ text }) => text)).toEqual([expected(`${prompt}ab`), expected(`${prompt}K5K5!`)])
    for (const { cached } of branches) expect(cached).toBeGreaterThan(290)
  })

  it('is cut and forgotten', async () => {
    const engine = await engines(shape)
    await ask(engine, prompt, { session: 1 })
    await addon.sessionCut(engine.native, 1, 100)
    expect(await addon.sessionTokens(engine.native, 1)).toBe(100)
    expect(await ask(engine, prompt, { session: 1 })).toEqual({ text: expected(prompt), cached: 100 })
    await addon.sessionForget(engine.native, 1)
    expect(await addon.sessionTokens(engine.native, 1)).toBe(0)
  })

  it('comes back from its saved state, and garbage does not', async () => {
    const engine = await engines(shape)
    const { text } = await ask(engine, prompt, { session: 1 })
    const saved = await addon.sessionSave(engine.native, 1)
    if (saved === undefined) throw new Error('nothing was saved')
    expect(await addon.sessionSave(engine.native, 99)).toBeUndefined()
    const other = await engines(shape)
    await addon.sessionRestore(other.native, 7, noRoot, saved)
    const next = await ask(other, `${prompt}${text}?`, { session: 7 })
    expect(next.cached).toBe(saved.tokens.length)
    expect(next.text).toBe(expected(`${prompt}${text}?`))
    const garbage = { tokens: saved.tokens, state: saved.state.slice(0, 100) }
    await expect(addon.sessionRestore(other.native, 8, noRoot, garbage)).rejects.toMatchObject({
      code: 'ERR_STATE_MISMATCH',
    })
    const foreign = { tokens: Int32Array.of(1e6), state: saved.state }
    expect(() => addon.sessionRestore(other.native, 8, noRoot, foreign)).toThrow(/tokens that the model lacks/)
    expect((await ask(other, prompt, {})).text).toBe(expected(prompt))
  })
})
