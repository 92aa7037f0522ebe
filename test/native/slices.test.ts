import { describe, expect, it } from 'vitest'
import type { NativeEngineStats } from '../../lib/native-types.js'
import { predict } from '../support/script.js'
import { settled, testEngines, turn, until, type TestEngine } from './test-engine.js'

const engines = testEngines({ layers: 16 })
const endless = { bufferTokens: 1_000_000 }
const size = 2560
const contextSize = 2 * size

const longPrompt = (engine: TestEngine, state = 'K1') => engine.tokenize(`${'.'.repeat(size - state.length)}${state}`)

const expected = (state: string, maxTokens: number) => predict(state, { maxTokens, ignoreEos: true }).text

type Computed = Pick<NativeEngineStats, 'promptTokens' | 'outputTokens'>

/** A stream that runs, and a long prompt that has begun to be computed beside it. */
async function streamAndPrompt(engine: TestEngine, options: { priority?: number; cacheKey?: string } = {}) {
  const stream = engine.submit(await engine.tokenize('K0'), { ...endless, maxTokens: 2000 })
  await engine.inbox.begun(stream, 5)
  const begun = engine.stats()
  const prompt = engine.submit(await longPrompt(engine), { ...endless, maxTokens: 12, progress: true, ...options })
  await until(engine, ({ promptTokens }) => promptTokens >= begun.promptTokens + 200)
  return { stream, prompt, begun }
}

/** What the engine had computed, at every turn of the event loop that saw it change until the request's first token. */
async function watch(engine: TestEngine, id: number): Promise<Computed[]> {
  const looks: Computed[] = []
  while (!engine.inbox.tokens.get(id)) {
    const { promptTokens, outputTokens } = engine.stats()
    const last = looks.at(-1)
    if (last?.promptTokens !== promptTokens || last.outputTokens !== outputTokens) {
      looks.push({ promptTokens, outputTokens })
    }
    await turn()
  }
  return looks
}

describe('a prompt beside a stream', () => {
  it('is computed in chunks that take several steps of the stream each, and says what it says alone', async () => {
    const engine = await engines({ contextSize })
    const { stream, prompt } = await streamAndPrompt(engine)
    const steps = new Map<number, Set<number>>()
    for (const { promptTokens, outputTokens } of await watch(engine, prompt)) {
      steps.set(promptTokens, (steps.get(promptTokens) ?? new Set()).add(outputTokens))
    }
    expect(Math.max(...[...steps.values()].map(({ size }) => size))).toBeGreaterThan(2)
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

  it('that begins and ends in a chunk with others says the same when some of them are cancelled', async () => {
    // So short that nothing is brief.
    const engine = await engines({ contextSize, maxSequences: 16, stepTargetMs: 0.1 })
    const stream = engine.submit(await engine.tokenize('K0'), { ...endless, maxTokens: 2000 })
    await engine.inbox.begun(stream, 5)
    const prompts = await Promise.all(
      Array.from({ length: 12 }, (_, index) => engine.tokenize(`${'.'.repeat(90 + index)}K${index % 7}`)),
    )
    for (let round = 0; round < 4; round++) {
      const ids = prompts.map((tokens, index) =>
        engine.submit(tokens, { ...endless, maxTokens: 12, cacheKey: `${round}-${index}` }),
      )
      for (const id of ids.filter((_, index) => index % 3 === round % 3)) {
        await new Promise((resolve) => setTimeout(resolve, 5 * round))
        engine.cancel(id)
      }
      for (const [index, id] of ids.entries()) {
        const text = await engine.inbox.ended(id)
        if (index % 3 !== round % 3) expect(text).toBe(expected(`K${index % 7}`, 12))
      }
    }
    engine.cancel(stream)
    await engine.inbox.ended(stream)
    expect((await settled(engine)).cellsUsed).toBe(0)
  })

  it('that runs alone goes on in steps when one comes that is all in the cache', async () => {
    const engine = await engines({ contextSize, batchSize: 512, cacheTokens: contextSize, cachedSequences: 4 })
    const cached = await engine.tokenize(`${'.'.repeat(300)}K5`)
    expect(await engine.answer(cached, { maxTokens: 12 })).toBe(expected('K5', 12))
    const prompt = engine.submit(await longPrompt(engine), { ...endless, maxTokens: 12, cacheKey: 'own' })
    await until(engine, ({ promptTokens }) => promptTokens > 512)
    const before = engine.stats().promptTokens
    expect(await engine.answer(cached, { maxTokens: 12 })).toBe(expected('K5', 12))
    expect(engine.stats().cachedTokens).toBeGreaterThanOrEqual(cached.length - 1)
    expect(before).toBeLessThan(size)
    expect(await engine.inbox.ended(prompt)).toBe(expected('K1', 12))
  })

  it('ends with the engine', async () => {
    const engine = await engines({ contextSize })
    const { stream, prompt } = await streamAndPrompt(engine)
    await engine.close()
    for (const id of [stream, prompt]) expect(engine.inbox.finish(id)).toMatchObject({ errorCode: 'ERR_DISPOSED' })
  })

  it('tells its progress within a chunk', async () => {
    const engine = await engines({ contextSize })
    const { stream, prompt, begun } = await streamAndPrompt(engine)
    const ends = new Set((await watch(engine, prompt)).map(({ promptTokens }) => promptTokens - begun.promptTokens))
    const told = engine.inbox.progress(prompt)
    expect(told).toEqual(told.toSorted((a, b) => a - b))
    expect(told.filter((tokens) => !ends.has(tokens)).length).toBeGreaterThan(ends.size)
    engine.cancel(stream)
    await engine.inbox.ended(stream)
  })
})
