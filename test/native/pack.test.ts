import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PackInput, PackLimits } from '../../lib/native-types.js'
import { nativeAddon } from '../../lib/native.js'

const pack = (lengths: readonly number[], limits: Partial<PackLimits> = {}, computed = 0) =>
  nativeAddon().packStep(
    lengths.map((length, index) => ({ length, computed: index === 0 ? computed : 0 })),
    { tokens: 10, inputs: 4, splits: false, ...limits },
  )

describe('a step of embeddings', () => {
  it.each<[string, number[], number[], Partial<PackLimits>?, number?]>([
    ['is empty without inputs', [], []],
    ['takes inputs in order while their tokens fit', [3, 4, 3, 1], [3, 4, 3]],
    ['does not pass one over for a later one that would fit', [6, 5, 1], [6]],
    ['takes no more inputs than may be', [1, 1, 1, 1, 1], [1, 1, 1, 1]],
    ['takes a longer input whole and alone', [25, 1], [25]],
    ['leaves a longer input to a step of its own', [3, 25], [3]],
    ['takes the beginning of a longer input where it may split', [25, 1], [10], { splits: true }],
    ['goes on with it', [25, 1], [10], { splits: true }, 10],
    ['ends it alone', [25, 1], [5], { splits: true }, 20],
    ['takes an input of just the size with no other', [10, 1], [10], { splits: true }],
  ])('%s', (_, lengths, expected, limits, computed) => {
    expect(pack(lengths, limits, computed)).toEqual(expected)
  })

  it('computes every token of every input once, in order and within the limits', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 })
    const limits = fc.record({
      tokens: fc.integer({ min: 4, max: 30 }),
      inputs: fc.integer({ min: 1, max: 8 }),
      splits: fc.boolean(),
    })
    fc.assert(
      fc.property(lengths, limits, (all, limit) => {
        let waiting: PackInput[] = all.map((length) => ({ length, computed: 0 }))
        while (waiting.length > 0) {
          const counts = nativeAddon().packStep(waiting, limit)
          const tokens = counts.reduce((sum, count) => sum + count, 0)
          expect(counts.length).toBeGreaterThan(0)
          expect(counts.length).toBeLessThanOrEqual(limit.inputs)
          if (counts.length > 1 || limit.splits) expect(tokens).toBeLessThanOrEqual(limit.tokens)
          const after = waiting.map(({ length, computed }, index) => ({
            length,
            computed: computed + (counts[index] ?? 0),
          }))
          expect(after.every(({ length, computed }) => computed <= length)).toBe(true)
          waiting = after.filter(({ length, computed }) => computed < length)
          if (waiting.some(({ computed }) => computed > 0)) expect(counts).toHaveLength(1)
        }
      }),
    )
  })
})
