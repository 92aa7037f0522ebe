import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { BudgetLimits, PaceStep, PrefillPace } from '../../lib/native.js'

const most = 512
const plain: BudgetLimits = { decodes: 1, depth: 0, deepest: 0, addedMs: 50, leastAddedMs: 0, most }
const step = (given: Partial<PaceStep>): PaceStep => ({
  decodes: 0,
  prompt: 0,
  depth: 0,
  ms: 0,
  sliced: false,
  ...given,
})

function paceAfter(steps: readonly Partial<PaceStep>[], from?: PrefillPace): PrefillPace {
  const addon = nativeAddon()
  let pace = from
  for (const given of steps) pace = addon.learnPace(pace, step(given))
  return pace ?? addon.learnPace(undefined, step({}))
}

const budget = (pace: PrefillPace, given: Partial<BudgetLimits> = {}) =>
  nativeAddon().prefillBudget(pace, { ...plain, ...given })

const size = (pace: PrefillPace, given: Partial<BudgetLimits> = {}) =>
  nativeAddon().briefSize(pace, { ...plain, ...given })

const brief = (pace: PrefillPace, given: Partial<BudgetLimits> = {}) =>
  nativeAddon().briefBudget(pace, { ...plain, ...given })

describe('the budget of prompts beside running streams', () => {
  const decode = { decodes: 1, ms: 5 }
  const cases: readonly [rule: string, steps: Partial<PaceStep>[], limits: Partial<BudgetLimits>, tokens: number][] = [
    ['is a whole micro-batch while nothing is known', [], {}, most],
    ['is a whole micro-batch beside nobody', [decode, { decodes: 1, prompt: 6, ms: 11 }], { decodes: 0 }, most],
    ['is one token while only the step without is known', [decode], {}, 1],
    ['makes a step 1.6 times as long', [decode, { decodes: 1, prompt: 6, ms: 11 }], {}, 3],
    ['gets along with tokens that cost half', [decode, { decodes: 1, prompt: 6, ms: 8 }], {}, 6],
    ['is at least one token', [decode, { decodes: 1, prompt: 1, ms: 40 }], {}, 1],
    ['is at most a micro-batch', [decode, { decodes: 1, prompt: 400, ms: 5 }], {}, most],
    ['counts what a prompt alone cost twice', [decode, { prompt: 100, ms: 100 }], {}, 1],
    ['does not go by a short prompt alone', [decode, { prompt: 31, ms: 500 }], {}, 1],
    [
      'adds no more than the step target',
      [
        { decodes: 1, ms: 90 },
        { decodes: 1, prompt: 10, ms: 140 },
      ],
      {},
      10,
    ],
    [
      'adds the least that it may where that is more',
      [decode, { decodes: 1, prompt: 6, ms: 11 }],
      { leastAddedMs: 10 },
      10,
    ],
    [
      'but never more than the step target',
      [decode, { decodes: 1, prompt: 6, ms: 11 }],
      { addedMs: 4, leastAddedMs: 10 },
      4,
    ],
    [
      'but half a step in any case',
      [
        { decodes: 1, ms: 200 },
        { decodes: 1, prompt: 10, ms: 300 },
      ],
      {},
      10,
    ],
    [
      'goes by steps of as many streams',
      [decode, { decodes: 8, ms: 20 }, { decodes: 8, prompt: 24, ms: 44 }],
      { decodes: 8 },
      12,
    ],
    [
      'goes by fewer streams where as many are not known',
      [decode, { decodes: 8, ms: 20 }, { decodes: 8, prompt: 24, ms: 44 }],
      { decodes: 4 },
      3,
    ],
    [
      'goes by more streams where fewer are not known',
      [
        { decodes: 8, ms: 20 },
        { decodes: 8, prompt: 24, ms: 44 },
      ],
      { decodes: 1 },
      12,
    ],
    [
      'begins with one token where a prompt goes on much deeper',
      [decode, { decodes: 1, prompt: 6, ms: 11, depth: 100 }],
      { depth: 800 },
      1,
    ],
    ['goes on where it is little deeper', [decode, { decodes: 1, prompt: 6, ms: 11, depth: 100 }], { depth: 700 }, 3],
    [
      'is none in every 32nd step, for a look at decodes alone',
      [decode, ...Array<Partial<PaceStep>>(31).fill({ decodes: 1, prompt: 6, ms: 11 })],
      {},
      0,
    ],
    [
      'goes on after that look',
      [decode, ...Array<Partial<PaceStep>>(31).fill({ decodes: 1, prompt: 6, ms: 11 }), decode],
      {},
      3,
    ],
    [
      'hardly follows one step that others delayed',
      [decode, { decodes: 1, prompt: 6, ms: 11 }, { decodes: 1, prompt: 6, ms: 1000 }],
      {},
      2,
    ],
    [
      'follows at once where a prompt goes on much deeper',
      [decode, { decodes: 1, prompt: 6, ms: 11, depth: 100 }, { decodes: 1, prompt: 1, ms: 8, depth: 4000 }],
      { depth: 4000 },
      1,
    ],
    [
      'looks once more where decodes alone took much longer than expected',
      [decode, ...Array<Partial<PaceStep>>(31).fill({ decodes: 1, prompt: 6, ms: 11 }), { decodes: 1, ms: 40 }],
      {},
      0,
    ],
    [
      'takes such a step for a delay when the next one is as ever',
      [decode, ...Array<Partial<PaceStep>>(31).fill({ decodes: 1, prompt: 6, ms: 11 }), { decodes: 1, ms: 40 }, decode],
      {},
      3,
    ],
    [
      'follows one that took little longer by a third of that',
      [decode, ...Array<Partial<PaceStep>>(31).fill({ decodes: 1, prompt: 60, ms: 11 }), { decodes: 1, ms: 6 }],
      {},
      31,
    ],
    [
      'believes two of them',
      [
        decode,
        ...Array<Partial<PaceStep>>(31).fill({ decodes: 1, prompt: 6, ms: 11 }),
        { decodes: 1, ms: 40 },
        { decodes: 1, ms: 8 },
      ],
      {},
      4,
    ],
    [
      'takes one before a prompt for a delay as well',
      [decode, { decodes: 1, ms: 40 }, { decodes: 1, prompt: 6, ms: 11 }],
      {},
      3,
    ],
    ['ignores a step that took no time', [decode, { decodes: 1, prompt: 6, ms: 11 }, { decodes: 1, prompt: 9 }], {}, 3],
  ]
  it.each(cases)('%s', (_rule, steps, limits, tokens) => {
    expect(budget(paceAfter(steps), limits)).toBe(tokens)
  })

  /** A machine on which a prompt token at a depth costs so much beside a step of decodes. */
  interface Machine {
    readonly decodeMs: number
    readonly tokenMs: number
    readonly perDepthMs: number
  }

  function prefill({ decodeMs, tokenMs, perDepthMs }: Machine, prompt: number, factor: () => number) {
    const addon = nativeAddon()
    let pace = paceAfter([{ prompt: 64, depth: 64, ms: 64 * tokenMs }, ...Array(8).fill({ decodes: 1, ms: decodeMs })])
    const gaps: number[] = []
    for (let depth = 0; depth < prompt;) {
      const tokens = Math.min(budget(pace, { depth, addedMs: 1000 }), prompt - depth)
      const ms = factor() * (decodeMs + tokens * (tokenMs + depth * perDepthMs))
      gaps.push(ms)
      depth += tokens
      pace = addon.learnPace(pace, step({ decodes: 1, prompt: tokens, depth, ms }))
    }
    return gaps
  }

  it('keeps every step below three times the normal one, however the cost of tokens grows with depth and all costs vary by a twentieth', () => {
    const machine = fc.record({
      decodeMs: fc.double({ min: 1, max: 100, noNaN: true }),
      share: fc.double({ min: 0.01, max: 1, noNaN: true }),
      growth: fc.double({ min: 0, max: 4, noNaN: true }),
    })
    fc.assert(
      fc.property(machine, fc.infiniteStream(fc.double({ min: 0.95, max: 1.05, noNaN: true })), (given, noise) => {
        const { decodeMs, share, growth } = given
        // At its end a prompt token, of which one is always carried, costs no more than 1.1 steps.
        const tokenMs = share * decodeMs
        const perDepthMs = Math.min(growth * tokenMs, 1.1 * decodeMs - tokenMs) / 6000
        const gaps = prefill({ decodeMs, tokenMs, perDepthMs }, 6000, () => noise.next().value as number)
        return Math.max(...gaps) < 3 * decodeMs
      }),
      { numRuns: 60 },
    )
  })

  it('leaves prompts a third of the time and more', () => {
    const decodeMs = 4
    const gaps = prefill({ decodeMs, tokenMs: 0.7, perDepthMs: 0 }, 6000, () => 1)
    const all = gaps.reduce((sum, ms) => sum + ms, 0)
    expect((6000 * 0.7) / all).toBeGreaterThan(1 / 3)
  })

  it('comes back within 32 steps when the machine gets slow and the streams with it', () => {
    const costMs = (prompt: number) => 6 + prompt
    let pace = paceAfter([
      { decodes: 1, ms: costMs(0) },
      ...Array<Partial<PaceStep>>(10).fill({ decodes: 1, prompt: 6, ms: costMs(6) }),
    ])
    const budgets: number[] = []
    for (let i = 0; i < 100; i++) {
      const prompt = budget(pace)
      budgets.push(prompt)
      pace = nativeAddon().learnPace(pace, step({ decodes: 1, prompt, ms: 10 * costMs(prompt) }))
    }
    expect(budgets.indexOf(0)).toBeLessThan(32)
    expect(Math.min(...budgets.slice(70).filter((tokens) => tokens > 0))).toBeGreaterThanOrEqual(2)
  })
})

describe('the budget of whole prompts beside running streams', () => {
  const known = [
    { decodes: 1, ms: 4 },
    { decodes: 1, prompt: 6, depth: 2000, ms: 10 },
  ]
  const cases: readonly [rule: string, steps: Partial<PaceStep>[], limits: Partial<BudgetLimits>, tokens: number][] = [
    ['is a whole micro-batch beside nobody', known, { decodes: 0 }, most],
    ['is nothing while nothing is known', [], {}, 0],
    ['is nothing while only the step without is known', known.slice(0, 1), {}, 0],
    ['adds four times the step target', known, {}, 200],
    ['is at most a micro-batch', known, { most: 64 }, 64],
    ['counts what it cost in slices once', [{ prompt: 64, depth: 64, ms: 64, sliced: true }], {}, 200],
    ['counts what a prompt alone cost twice', [{ prompt: 100, depth: 100, ms: 100 }], {}, 100],
    ['is nothing where one lies much deeper than what is known', known, { deepest: 5000 }, 0],
    ['is none in every 32nd step', [known[0]!, ...Array<Partial<PaceStep>>(31).fill(known[1]!)], {}, 0],
  ]
  it.each(cases)('%s', (_rule, steps, limits, tokens) => {
    expect(brief(paceAfter(steps), limits)).toBe(tokens)
  })

  const mixed = [known[0]!, ...Array<Partial<PaceStep>>(31).fill(known[1]!)]

  it('is room for prompts of as many tokens, which a look changes nothing about', () => {
    expect(size(paceAfter(known))).toBe(200)
    expect(size(paceAfter(mixed))).toBe(200)
    expect(size(paceAfter([]))).toBe(0)
  })

  it('is there again after a look that said nothing', () => {
    expect(brief(paceAfter([...mixed, { decodes: 1, ms: 0 }]))).toBe(200)
    expect(brief(paceAfter([...mixed, { decodes: 1, prompt: 6, depth: 2000, ms: 0 }]))).toBe(0)
  })
})
