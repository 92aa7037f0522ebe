import { describe, expect, it } from 'vitest'
import { predict } from '../support/script.js'
import { settled, testEngines, turn, type TestEngine } from './test-engine.js'

const engines = testEngines({ layers: 16 })
const endless = { bufferTokens: 1_000_000 }
/** Prompt tokens that are computed in slices at once. */
const chunk = 64
const size = 40 * chunk
const contextSize = 2 * size

const longPrompt = (engine: TestEngine, state = 'K1') => engine.tokenize(`${'.'.repeat(size - state.length)}${state}`)

const expected = (state: string, maxTokens: number) => predict(state, { maxTokens, ignoreEos: true }).text

/** A stream that runs, and a long prompt that has begun to be computed beside it. */
async function streamAndPrompt(engine: TestEngine, options: { priority?: number; cacheKey?: string } = {}) {
  const stream = engine.submit(await engine.tokenize('K0'), { ...endless, maxTokens: 2000 })
  await engine.inbox.begun(stream, 5)
  const begun = engine.stats()
  const prompt = engine.submit(await longPrompt(engine), { ...endless, maxTokens: 12, progress: true, ...options })
  for (let before = begun; ;) {
    await turn()
    const stats = engine.stats()
    if (stats.promptTokens >= begun.promptTokens + 3 * chunk) return { stream, prompt, begun, stats }
    if (stats.outputTokens < before.outputTokens) throw new Error('The stream has ended.')
    before = stats
  }
}

describe('a prompt beside a stream', () => {
  it('is computed in chunks that take several steps of the stream each, and says what it says alone', async () => {
    const engine = await engines({ contextSize })
    const { stream, prompt, begun } = await streamAndPrompt(engine)
    const looks: { promptTokens: number; outputTokens: number }[] = []
    while (!engine.inbox.tokens.get(prompt)) {
      await turn()
      looks.push(engine.stats())
    }
    const parts = looks
      .map(({ promptTokens }) => promptTokens - begun.promptTokens)
      .filter((part) => part < size - chunk)
    expect(new Set(parts.map((part) => part % chunk))).toEqual(new Set([0]))
    const inOne = new Map<number, Set<number>>()
    for (const { promptTokens, outputTokens } of looks) {
      inOne.set(promptTokens, (inOne.get(promptTokens) ?? new Set()).add(outputTokens))
    }
    expect(Math.max(...[...inOne.values()].map((steps) => steps.size))).toBeGreaterThan(2)
    expect(await engine.inbox.ended(prompt)).toBe(expected('K1', 12))
    engine.cancel(stream)
    await engine.inbox.ended(stream)
    const text = engine.inbox.text(stream)
    expect(text).toBe(expected('K0', text.length))
    expect((await settled(engine)).cellsUsed).toBe(0)
  })

  it('that is cancelled between two slices leaves a prefix for others', async () => {
    const engine = await engines({ contextSize, cacheTokens: contextSize })
    for (let round = 0; round < 3; round++) {
      const cacheKey = `${round}`
      const { stream, prompt } = await streamAndPrompt(engine, { cacheKey })
      engine.cancel(prompt)
      await engine.inbox.ended(prompt)
      expect(engine.inbox.finish(prompt)).toMatchObject({ reason: 'abort', outputTokens: 0 })
      // What it left is a prefix for the next one, which says the right words behind it.
      expect(await engine.answer(await longPrompt(engine, 'K3'), { cacheKey, maxTokens: 12 })).toBe(expected('K3', 12))
      engine.cancel(stream)
      const text = await engine.inbox.ended(stream)
      expect(text).toBe(expected('K0', text.length))
      expect((await settled(engine)).cellsUsed).toBe(0)
    }
  })

  it('goes on when the stream is cancelled', async () => {
    const engine = await engines({ contextSize })
    const { stream, prompt } = await streamAndPrompt(engine)
    engine.cancel(stream)
    expect(await engine.inbox.ended(prompt)).toBe(expected('K1', 12))
    expect((await settled(engine)).cellsUsed).toBe(0)
  })

  it('gives its cells to a request of higher priority, and starts over', async () => {
    const engine = await engines({ contextSize: size + 500 })
    const { stream, prompt } = await streamAndPrompt(engine, { priority: -1 })
    const urgent = engine.submit(await engine.tokenize(`${'.'.repeat(800)}K5`), {
      ...endless,
      maxTokens: 12,
      priority: 1,
    })
    expect(await engine.inbox.ended(urgent)).toBe(expected('K5', 12))
    expect(engine.stats().preemptions).toBeGreaterThan(0)
    engine.cancel(stream)
    expect(await engine.inbox.ended(prompt)).toBe(expected('K1', 12))
    expect((await settled(engine)).cellsUsed).toBe(0)
  })

  it('ends with the engine', async () => {
    const engine = await engines({ contextSize })
    const { stream, prompt } = await streamAndPrompt(engine)
    await engine.close()
    for (const id of [stream, prompt]) expect(engine.inbox.finish(id)).toMatchObject({ errorCode: 'ERR_DISPOSED' })
  })

  it('tells its progress within a chunk', async () => {
    const engine = await engines({ contextSize })
    const { stream, prompt } = await streamAndPrompt(engine)
    await engine.inbox.begun(prompt, 1)
    const told = engine.inbox.progress(prompt)
    expect(told.every((tokens, index) => index === 0 || tokens >= told[index - 1]!)).toBe(true)
    expect(told.some((tokens) => tokens % chunk !== 0 && tokens < size - chunk)).toBe(true)
    engine.cancel(stream)
    await engine.inbox.ended(stream)
  })
})
