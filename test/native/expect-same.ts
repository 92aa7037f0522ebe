import { expect } from 'vitest'
import type { RawResult } from './raw-engine.js'

/**
 * How far a log probability may be from the one computed from scratch: batches of other shapes are summed in another
 * order, in 16 bits where they pass the KV cache.
 */
const tolerance = 0.005

/** The same words with the same probabilities; where two words are nearly alike, rounding may choose, and the rest differs. */
export function expectSame(actual: RawResult, fresh: RawResult, within = tolerance): void {
  for (const [index, expected] of fresh.logprobs.entries()) {
    const [best] = expected
    const second = expected.find(({ token }) => token !== best?.token)
    const found = actual.logprobs[index]?.[0]
    const close = (best?.logprob ?? 0) - (second?.logprob ?? -Infinity) < within
    if (close && found?.token !== best?.token) return
    expect(found?.token).toBe(best?.token)
    expect(Math.abs((found?.logprob ?? 0) - (best?.logprob ?? 0))).toBeLessThan(within)
  }
  expect(actual.tokens).toHaveLength(fresh.tokens.length)
}
