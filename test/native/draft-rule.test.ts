import { describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { DraftOdds, StepCosts } from '../../lib/native.js'
import { seededRandom } from '../support/seeded-random.js'

const most = 32
const noOdds: DraftOdds = { hits: [0, 0, 0, 0], tries: [0, 0, 0, 0] }
const noCosts: StepCosts = { single: 0, ratio: [0, 0, 0, 0, 0, 0], balance: 1, drafted: 0 }

const noModel = { chance: 0, tokenMs: 0, fixedMs: 0 }
const plainTime = { firstOfSize: false, draftingMs: 0, catchingUpMs: 0 }

/** Time of a step of so many tokens. */
type Machine = (tokens: number, step: number) => number

/** A token of a text: how many tokens before it agree with an earlier place, and whether it is what followed there. */
interface Token {
  readonly length: number
  readonly hit: boolean
}

const flat: Machine = (tokens) => 1 + 0.03 * (tokens - 1)
const common: Machine = (tokens) => 0.75 + 0.25 * tokens
const jump: Machine = (tokens) => (tokens === 1 ? 1 : 1.5 + 0.12 * tokens)
const steep: Machine = (tokens) => tokens
/** About SmolLM2's steps on two cores with AMX: its tiles pay off from two rows on, but hardly with two. */
const tiles: Machine = (tokens) => (tokens === 1 ? 1 : 1.75 + 0.16 * tokens)
const machines = { flat, common, jump, tiles, steep }

/** Some tokens repeat what was before by chance. */
function prose(tokens: number, seed: number): Token[] {
  const random = seededRandom(seed)
  let length = 0
  return Array.from({ length: tokens }, () => {
    if (length === 0 && random() < 0.3) length = 2
    const hit = length > 0 && random() < 0.3
    const token = { length, hit }
    length = hit ? length + 1 : 0
    return token
  })
}

/** Runs of some 40 tokens repeat what was before; two tokens later the place is found again. */
function copy(tokens: number, seed: number): Token[] {
  const random = seededRandom(seed)
  let length = 2
  let lost = 0
  return Array.from({ length: tokens }, () => {
    if (length === 0 && --lost <= 0) length = 2
    const hit = length > 0 && random() < 0.975
    const token = { length, hit }
    if (length > 0 && !hit) lost = 3
    length = hit ? length + 1 : 0
    return token
  })
}

/** Repeats just as long as it takes to be believed. */
function mockery(tokens: number): Token[] {
  return Array.from({ length: tokens }, (_, index) => ({ length: 2 + (index % 18), hit: index % 18 < 17 }))
}

interface Run {
  /** Of the time without drafts to that with them. */
  readonly gain: number
  readonly drafted: number
  readonly costs: StepCosts
}

function run(machine: Machine, text: readonly Token[], from: StepCosts = noCosts): Run {
  const addon = nativeAddon()
  let costs = from
  let odds = noOdds
  let taken = 0
  let plain = 0
  let drafted = 0
  for (let at = 0, step = 0; at < text.length; step++) {
    const { length } = text[at]!
    const question = { tokens: 1, expected: 1, length, most, ...noModel }
    const draft = length === 0 ? 0 : addon.draftLength(costs, odds, question)
    let accepted = 0
    while (accepted < draft && text[at + accepted]?.hit === true) accepted++
    const milliseconds = machine(1 + draft, step)
    const tokens = Math.min(accepted + 1, text.length - at)
    taken += milliseconds
    plain += tokens * machine(1, step)
    drafted += draft
    costs = addon.learnStep(costs, {
      tokens: 1 + draft,
      drafted: draft,
      accepted,
      milliseconds: 3.3 * milliseconds,
      ...plainTime,
    })
    for (const { length: before, hit } of text.slice(at, at + tokens)) {
      if (before > 0) odds = addon.learnMatch(odds, before, hit)
    }
    at += tokens
  }
  return { gain: plain / taken, drafted, costs }
}

const names = Object.keys(machines) as (keyof typeof machines)[]
const lengths = [150, 400, 3000]

describe('drafts cost at most 3 %', () => {
  const texts = { prose, mockery, copy }
  const cases = names.flatMap((machine) =>
    Object.entries(texts).flatMap(([text, make]) => lengths.map((tokens) => ({ machine, text, make, tokens }))),
  )
  it.each(cases)('on a $machine machine over $tokens tokens of $text', ({ machine, make, tokens }) => {
    for (let seed = 1; seed <= 5; seed++) expect(run(machines[machine], make(tokens, seed)).gain).toBeGreaterThan(0.97)
  })

  it.each(names)('in the long run on a %s machine, with noise and hiccups', (name) => {
    const random = seededRandom(3)
    // The same hiccup would have come without a draft.
    const noisy: Machine = (tokens, step) => machines[name](tokens, step) * (0.8 + 0.4 * random())
    expect(run(noisy, prose(3000, 9)).gain).toBeGreaterThan(0.97)
  })

  it('when steps become ten times as dear and cheap again', () => {
    const busy: Machine = (tokens, step) => common(tokens, step) * (step % 400 < 200 ? 1 : 10)
    expect(run(busy, prose(3000, 4)).gain).toBeGreaterThan(0.97)
    expect(run(busy, copy(3000, 4)).gain).toBeGreaterThan(1.3)
  })

  it('when longer steps become dear', () => {
    const before = run(flat, copy(1000, 5)).costs
    expect(run(steep, prose(2000, 5), before).gain).toBeGreaterThan(0.97)
    expect(run(steep, mockery(10_000), before).gain).toBeGreaterThan(0.97)
  })
})

describe('drafts pay', () => {
  const least = { flat: 3, common: 1.8, jump: 2, tiles: 1.8, steep: 0.97 }
  it.each(names)('where text is copied, on a %s machine', (name) => {
    for (let seed = 1; seed <= 5; seed++) expect(run(machines[name], copy(600, seed)).gain).toBeGreaterThan(least[name])
  })

  it('at once, where only steps of two tokens are dear', () => {
    const copied = Array.from({ length: 160 }, (_, index) => ({ length: 2 + index, hit: true }))
    expect(run(tiles, copied).gain).toBeGreaterThan(2.5)
    const before = run(tiles, prose(400, 2)).costs
    expect(run(tiles, copied, before).gain).toBeGreaterThan(2.5)
  })

  it('where a text begins to copy', () => {
    const before = run(common, prose(1000, 6)).costs
    expect(run(common, copy(600, 6), before).gain).toBeGreaterThan(1.6)
  })

  it('again after a machine was steep for a while', () => {
    const before = run(steep, copy(300, 7)).costs
    expect(run(common, copy(3000, 7), before).gain).toBeGreaterThan(1.4)
  })

  it('the less the dearer longer steps are', () => {
    expect(run(flat, copy(600, 8)).drafted).toBeGreaterThan(run(common, copy(600, 8)).drafted)
    expect(run(steep, copy(600, 8)).drafted).toBeLessThan(100)
  })
})

describe('a draft', () => {
  const costs = { ...run(common, copy(1000, 1)).costs, balance: 8, drafted: 0 }
  const sure: DraftOdds = { hits: [1e3, 1e3, 1e3, 1e3], tries: [1e3, 1e3, 1e3, 1e3] }
  const length = (question: object, from = costs, odds = sure) =>
    nativeAddon().draftLength(from, odds, { tokens: 1, expected: 1, length: 16, most, ...noModel, ...question })

  it.each([
    ['is as long as may be where all is right', {}, most],
    ['is no longer than may be', { most: 5 }, 5],
    ['needs a match', { length: 0 }, 0],
  ])('%s', (_rule, question, count) => expect(length(question)).toBe(count))

  it('is none before the cost of a step is known', () => expect(length({}, noCosts)).toBe(0))
  it('is none where drafts have lost too much', () => expect(length({}, { ...costs, balance: -0.1 })).toBe(0))
  it('is left out in one step of 64, to see what that costs', () => {
    expect(length({}, { ...costs, drafted: 63 })).toBeGreaterThan(0)
    expect(length({}, { ...costs, drafted: 64 })).toBe(0)
  })
  it('is shorter the less likely it is right', () => {
    const doubtful: DraftOdds = { hits: [9, 9, 9, 9], tries: [31, 31, 31, 31] }
    expect(length({}, costs, doubtful)).toBeLessThan(4)
  })
  it('has to pay for the time of all who share the step', () => {
    const likely: DraftOdds = { hits: [700, 700, 700, 700], tries: [1e3, 1e3, 1e3, 1e3] }
    expect(length({}, costs, likely)).toBeGreaterThan(1)
    expect(length({ tokens: 16, expected: 16 }, costs, likely)).toBe(0)
  })
})
