import { describe, expect, it } from 'vitest'
import { testEngines } from './test-engine.js'

const engines = testEngines()
const shape = { contextSize: 512, maxSequences: 4, cachedSequences: 4, batchSize: 128 }
const shift = { shiftAt: 64, shiftKeep: 8, shiftDrop: 28 }

describe('a sequence that shifts', () => {
  it('goes on beyond its limit, as one that begins with what is left', async () => {
    const engine = await engines(shape)
    const tokens = await engine.tokenize('K0......K3')
    // K3 stands behind what is kept, so after the first shift K0 alone decides.
    const text = await engine.answer(tokens, { ...shift, maxTokens: 200 })
    expect(text.length).toBe(200)
    const all = [...tokens.slice(1).map(() => 0)]
    expect(all.length).toBeLessThan(64)
    const before = 64 - tokens.length
    const rest = text.slice(before)
    const next = (letter: string) => String.fromCharCode(((letter.charCodeAt(0) - 97 + 1) % 26) + 97)
    for (let at = 1; at < rest.length; at++) expect(rest[at]).toBe(next(rest[at - 1] ?? ''))
  })

  it('counts its whole answer and only its own prompt', async () => {
    const engine = await engines(shape)
    const tokens = await engine.tokenize('K0......')
    const id = engine.submit(tokens, { ...shift, maxTokens: 150, bufferTokens: 1000 })
    await engine.inbox.ended(id)
    expect(engine.inbox.finish(id)).toMatchObject({
      reason: 'length',
      inputTokens: tokens.length,
      outputTokens: 150,
    })
    expect(engine.stats()).toMatchObject({ preemptions: 0, running: 0, cellsUsed: 0 })
  })

  it('leaves the cells that others share as they are', async () => {
    const engine = await engines(shape)
    const tokens = await engine.tokenize('K0............K1K1')
    const alone = await engine.answer(tokens, { maxTokens: 120 })
    const texts = await Promise.all([
      engine.answer(tokens, { ...shift, maxTokens: 120 }),
      engine.answer(tokens, { maxTokens: 120 }),
      engine.answer(tokens, { ...shift, maxTokens: 120 }),
    ])
    expect(texts[1]).toBe(alone)
    expect(texts[0]).toBe(texts[2])
    expect(texts[0].slice(0, 64 - tokens.length)).toBe(alone.slice(0, 64 - tokens.length))
  })

  it.each([
    ['nothing', { shiftAt: 64, shiftKeep: 8, shiftDrop: 0 }],
    ['everything', { shiftAt: 64, shiftKeep: 8, shiftDrop: 56 }],
    ['less than nothing', { shiftAt: 64, shiftKeep: -1, shiftDrop: 8 }],
  ])('must not drop %s', async (_title, wrong) => {
    const engine = await engines(shape)
    const tokens = await engine.tokenize('K0')
    expect(() => engine.submit(tokens, wrong)).toThrow(/shift/)
  })
})
