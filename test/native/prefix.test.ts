import { describe, expect, it } from 'vitest'
import { predict } from '../support/script.js'
import { settled, testEngines, type TestEngine } from './test-engine.js'

const engines = testEngines()
const shape = { contextSize: 4096, maxSequences: 16, cachedSequences: 16, cacheTokens: 4096, batchSize: 512 }
const system = `K3${'.'.repeat(400)}`

async function ask(
  engine: TestEngine,
  prompt: string,
  options: object = {},
): Promise<{ text: string; cached: number }> {
  const tokens = await engine.tokenize(prompt)
  const id = engine.submit(tokens, { bufferTokens: 1e6, maxTokens: 8, ignoreEos: true, ...options })
  const text = await engine.inbox.ended(id)
  return { text, cached: engine.inbox.finish(id)?.cachedTokens ?? -1 }
}

describe('a prefix', () => {
  it('is computed once for requests that arrive together', async () => {
    const engine = await engines(shape)
    const prompts = Array.from({ length: 16 }, (_, i) => `${system}${String.fromCharCode(97 + i)}!`)
    const lengths = await Promise.all(prompts.map(async (prompt) => (await engine.tokenize(prompt)).length))
    const answers = await Promise.all(prompts.map((prompt) => ask(engine, prompt)))
    expect(answers.map(({ text }) => text)).toEqual(
      prompts.map((prompt) => predict(prompt, { maxTokens: 8, ignoreEos: true }).text),
    )
    const { promptTokens, cachedTokens } = await settled(engine, 1)
    const whole = lengths.reduce((sum, length) => sum + length, 0)
    expect(promptTokens + cachedTokens).toBe(whole)
    expect(promptTokens).toBeLessThan((lengths[0] ?? 0) + 16 * 4)
  })

  it('serves a later request, and all but the last token of the same one', async () => {
    const engine = await engines(shape)
    const first = await ask(engine, `${system}abc`)
    const second = await ask(engine, `${system}abd`)
    const again = await ask(engine, `${system}abc`)
    const { length } = await engine.tokenize(`${system}abc`)
    expect(first.cached).toBe(0)
    expect(second.cached).toBe(length - 1)
    expect(again).toEqual({ text: first.text, cached: length - 1 })
  })

  it('goes on where an answer ended', async () => {
    const engine = await engines(shape)
    const { text } = await ask(engine, system)
    const { length } = await engine.tokenize(system + text)
    const next = await ask(engine, `${system}${text}!?`)
    // The last token of an answer is known, but was never computed.
    expect(next.cached).toBe(length - 1)
    expect(next.text).toBe(predict(`${system}${text}!?`, { maxTokens: 8, ignoreEos: true }).text)
  })

  it('is not shared between keys', async () => {
    const engine = await engines(shape)
    await ask(engine, system, { cacheKey: 'one' })
    expect((await ask(engine, system, { cacheKey: 'two' })).cached).toBe(0)
    expect((await ask(engine, system, { cacheKey: 'one' })).cached).toBeGreaterThan(0)
  })

  it('of a request that was cancelled is of use', async () => {
    const engine = await engines(shape)
    const tokens = await engine.tokenize(system)
    const id = engine.submit(tokens, { bufferTokens: 1e6, maxTokens: 3000, ignoreEos: true })
    await engine.inbox.begun(id, 4)
    engine.cancel(id)
    await engine.inbox.ended(id)
    const next = await ask(engine, `${system}x`)
    expect(next.cached).toBe(tokens.length)
    expect(next.text).toBe(predict(`${system}x`, { maxTokens: 8, ignoreEos: true }).text)
  })

  it('gives way, the least used first, when running requests need its cells', async () => {
    const engine = await engines({ ...shape, contextSize: 1024, cacheTokens: 1024 })
    await ask(engine, `K1${'.'.repeat(300)}`)
    await ask(engine, `K2${'.'.repeat(300)}`)
    expect((await ask(engine, `K1${'.'.repeat(300)}`)).cached).toBeGreaterThan(0)
    const large = `K4${'.'.repeat(600)}`
    expect((await ask(engine, large)).text).toBe(predict(large, { maxTokens: 8, ignoreEos: true }).text)
    expect((await settled(engine, 1)).evictions).toBeGreaterThan(0)
    expect((await ask(engine, `K2${'.'.repeat(300)}`)).cached).toBe(0)
  })

  it('is kept up to the limit and for so many requests only', async () => {
    const latest = await engines({ ...shape, cacheTokens: 0 })
    await ask(latest, system)
    expect((await ask(latest, `${system}a`)).cached).toBeGreaterThan(400)
    await ask(latest, `K1${'.'.repeat(50)}`)
    expect((await settled(latest, 1)).cellsCached).toBeLessThan(70)
    expect((await ask(latest, system)).cached).toBe(0)
    const few = await engines({ ...shape, maxSequences: 1, cachedSequences: 2 })
    for (const key of [1, 2, 4, 5]) await ask(few, `K${key}${'.'.repeat(50)}`)
    expect((await settled(few, 1)).cellsCached).toBeLessThan(3 * 70)
  })
})
