import { describe, expect, it } from 'vitest'
import { predict } from '../support/script.js'
import { patience, settled, testEngines, until, type TestEngine } from './test-engine.js'

const engines = testEngines()
const slowEngines = testEngines({ layers: 16 })
const endless = { bufferTokens: 1_000_000 }

/** Cancels and returns the steps that the engine still spends, and its counters once it is idle. */
async function cancel(engine: TestEngine, id: number) {
  engine.cancel(id)
  const { steps } = engine.stats()
  await engine.inbox.ended(id)
  const after = await settled(engine)
  return { laterSteps: after.steps - steps, stats: after }
}

describe('a cancelled sequence', () => {
  it('gets no decode after the one that may be running', async () => {
    const engine = await engines()
    const id = engine.submit(await engine.tokenize('K1'), endless)
    await engine.inbox.begun(id, 20)
    const { laterSteps, stats } = await cancel(engine, id)
    expect(laterSteps).toBeLessThanOrEqual(1)
    expect(stats).toMatchObject({ running: 0, waiting: 0, cellsUsed: 0 })
    expect(engine.inbox.finish(id)).toMatchObject({ reason: 'abort', outputTokens: stats.outputTokens })
    expect(engine.inbox.tokens.get(id)).toBe(stats.outputTokens)
    const text = engine.inbox.text(id)
    expect(text).toBe(predict('K1', { maxTokens: text.length }).text)
  })

  it('costs nothing if it was still waiting', async () => {
    const engine = await engines({ maxSequences: 1 })
    const tokens = await engine.tokenize('K2')
    const running = engine.submit(tokens, endless)
    const waiting = engine.submit(tokens, endless)
    await engine.inbox.begun(running, 10)
    engine.cancel(waiting)
    await engine.inbox.ended(waiting)
    expect(engine.inbox.finish(waiting)).toMatchObject({ reason: 'abort', outputTokens: 0, inputTokens: tokens.length })
    const { stats } = await cancel(engine, running)
    expect(stats.outputTokens).toBe(engine.inbox.tokens.get(running))
    expect(stats.promptTokens).toBe(tokens.length)
  })

  it('leaves the others as they are', async () => {
    const engine = await engines()
    const prompts = ['K0 K0', 'K1', 'K3', 'K5K5K5']
    const ids = await Promise.all(
      prompts.map(async (prompt) => engine.submit(await engine.tokenize(prompt), { ...endless, maxTokens: 200 })),
    )
    await engine.inbox.begun(ids[2]!, 30)
    engine.cancel(ids[2]!)
    const texts = await Promise.all(ids.map((id) => engine.inbox.ended(id)))
    const whole = prompts.map((prompt) => predict(prompt, { maxTokens: 200, ignoreEos: true }).text)
    expect(texts.filter((_, index) => index !== 2)).toEqual(whole.filter((_, index) => index !== 2))
    expect(whole[2]!.startsWith(texts[2]!)).toBe(true)
    expect(texts[2]!.length).toBeLessThan(200)
  })

  it('is told once, and may be cancelled again and after its end', async () => {
    const engine = await engines()
    const id = engine.submit(await engine.tokenize('K4'), endless)
    for (let again = 0; again < 3; again++) engine.cancel(id)
    await engine.inbox.ended(id)
    engine.cancel(id)
    engine.cancel(id + 100)
    await settled(engine)
    expect(engine.inbox.calls.reduce((sum, entries) => sum + entries, 0)).toBeLessThanOrEqual(2)
    expect(await engine.answer(await engine.tokenize('K4'), { maxTokens: 3 })).toBe(
      predict('K4', { maxTokens: 3 }).text,
    )
  })

  it('frees its place for the next', async () => {
    const engine = await engines({ maxSequences: 1, queueLimit: 0 })
    const tokens = await engine.tokenize('K6')
    for (let round = 0; round < 20; round++) {
      const id = engine.submit(tokens, endless)
      expect(() => engine.submit(tokens)).toThrow(expect.objectContaining({ code: 'ERR_QUEUE_FULL' }))
      await engine.inbox.begun(id)
      engine.cancel(id)
      await engine.inbox.ended(id)
    }
    expect(engine.stats().cellsUsed).toBe(0)
  })
})

describe('cancelling a long prompt', () => {
  const size = 3000

  it('stops between two chunks', async () => {
    const engine = await slowEngines({ contextSize: size + 100, batchSize: 64, microBatchSize: 64 })
    const tokens = await engine.tokenize(`${'.'.repeat(size - 10)}K1`)
    const id = engine.submit(tokens, endless)
    await until(engine, ({ steps }) => steps >= 3)
    const { laterSteps, stats } = await cancel(engine, id)
    expect(laterSteps).toBeLessThanOrEqual(1)
    expect(stats.promptTokens).toBeLessThan(size / 2)
    expect(stats.outputTokens).toBe(0)
  })

  it('cuts a running decode short, and the engine goes on', { timeout: 60_000 * patience }, async () => {
    const engine = await slowEngines({ contextSize: size + 100, batchSize: size + 100 })
    const tokens = await engine.tokenize(`${'.'.repeat(size - 10)}K1`)
    const began = performance.now()
    await engine.answer(tokens, { maxTokens: 1 })
    const whole = performance.now() - began
    const before = engine.stats()
    // Under a key of its own it can't start from what the first one has computed.
    const id = engine.submit(tokens, { ...endless, cacheKey: 'own' })
    await new Promise((resolve) => setTimeout(resolve, whole / 4))
    const { stats } = await cancel(engine, id)
    expect(stats.steps).toBe(before.steps + 1)
    expect(stats.promptTokens).toBe(before.promptTokens)
    expect(await engine.answer(await engine.tokenize('K3'), { maxTokens: 9 })).toBe(
      predict('K3', { maxTokens: 9 }).text,
    )
  })

  it('does not cut it short while another sequence is in it', async () => {
    const engine = await slowEngines({
      contextSize: size + 1000,
      batchSize: size,
      microBatchSize: 256,
      stepTargetMs: 100_000,
    })
    const expected = predict('K0', { maxTokens: 12 }).text
    const other = engine.submit(await engine.tokenize('K0'), { ...endless, maxTokens: 12 })
    const long = engine.submit(await engine.tokenize(`${'.'.repeat(size - 10)}K1`), endless)
    await engine.inbox.begun(other, 2)
    engine.cancel(long)
    expect(await engine.inbox.ended(other)).toBe(expected)
    const stats = await settled(engine)
    expect(stats.steps).toBeGreaterThanOrEqual(12)
    expect(stats.preemptions).toBe(0)
  })
})
