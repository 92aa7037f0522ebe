import { describe, expect, it } from 'vitest'
import { predict } from '../support/script.js'
import { settled, testEngines } from './test-engine.js'

const engines = testEngines({ layers: 4 })

describe('news', () => {
  it('of all sequences of a step come in one call', async () => {
    const engine = await engines({ maxSequences: 8, batchSize: 256 })
    const tokens = await engine.tokenize('K1')
    const ids = Array.from({ length: 8 }, () => engine.submit(tokens, { maxTokens: 100 }))
    await Promise.all(ids.map((id) => engine.inbox.ended(id)))
    const { steps, deliveries, outputTokens } = await settled(engine)
    expect(outputTokens).toBe(800)
    expect(deliveries).toBeLessThanOrEqual(steps)
    expect(engine.inbox.calls.length).toBeLessThanOrEqual(deliveries)
    expect(Math.max(...engine.inbox.calls)).toBe(8)
    const entries = engine.inbox.calls.reduce((sum, length) => sum + length, 0)
    expect(entries / engine.inbox.calls.length).toBeGreaterThan(4)
  })

  it('of a burst of refusals still name every request', async () => {
    const engine = await engines()
    const tokens = await engine.tokenize('K1')
    const ids = Array.from({ length: 20 }, () => engine.submit(tokens))
    await engine.close()
    for (const id of ids) expect(engine.inbox.finish(id)).toMatchObject({ reason: 'error', errorCode: 'ERR_DISPOSED' })
    expect(() => engine.submit(tokens)).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }))
  })

  it('come as whole characters with the tokens behind them', async () => {
    const engine = await engines()
    const maxTokens = 40
    const id = engine.submit(await engine.tokenize('K7'), { maxTokens })
    expect(await engine.inbox.ended(id)).toBe(predict('K7', { maxTokens }).text)
    expect(engine.inbox.tokens.get(id)).toBe(maxTokens)
    expect(engine.inbox.finish(id)).toMatchObject({ reason: 'length', outputTokens: maxTokens })
  })
})
