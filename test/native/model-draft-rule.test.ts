import { describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { LeadOdds, StepCosts } from '../../lib/native.js'
import { seededRandom } from '../support/seeded-random.js'

const most = 32
const noOdds: LeadOdds = { hits: [0, 0, 0, 0], tries: [0, 0, 0, 0] }
const noCosts: StepCosts = { single: 0, ratio: [0, 0, 0, 0, 0, 0], balance: 1, drafted: 0 }
// A draft model reads a text some times faster than it says one.
const readingShare = 0.2

/** Time of a step of so many tokens. */
type Machine = (tokens: number) => number

const machines: Readonly<Record<string, Machine>> = {
  flat: (tokens) => 1 + 0.03 * (tokens - 1),
  common: (tokens) => 0.75 + 0.25 * tokens,
  steep: (tokens) => tokens,
}

/** A token that the draft model would propose: how sure it is, and whether the model says the same. */
interface Token {
  readonly lead: number
  readonly hit: boolean
}

/** Of a draft model that is right with a chance between `least` and `least + span`, the more the surer it is. */
function text(tokens: number, least: number, span: number, seed: number): Token[] {
  const random = seededRandom(seed)
  return Array.from({ length: tokens }, () => {
    const lead = 4 * random()
    return { lead, hit: random() < least + (span * lead) / 4 }
  })
}

const good = (tokens: number, seed: number) => text(tokens, 0.7, 0.3, seed)
const useless = (tokens: number, seed: number) => text(tokens, 0, 0.05, seed)

interface Run {
  /** Of the time without drafts to that with them. */
  readonly gain: number
  readonly drafted: number
  readonly asked: number
  readonly costs: StepCosts
  readonly all: LeadOdds
}

/** Texts one after the other, in a draft model that needs `share` of a step for a token. */
function run(machine: Machine, share: number, texts: readonly Token[][], from = noCosts, known = noOdds): Run {
  const addon = nativeAddon()
  let costs = from
  let all = known
  let taken = 0
  let plain = 0
  let drafted = 0
  let asked = 0
  for (const tokens of texts) {
    let own = noOdds
    let computed = 0
    for (let at = 0; at < tokens.length;) {
      const left = tokens.length - at
      const late = Math.max(0, at - computed - most - 1)
      const catchingUpMs = late * share * readingShare
      const count = addon.draftLength(
        costs,
        { hits: [0, 0, 0, 0], tries: [0, 0, 0, 0] },
        {
          tokens: 1,
          expected: 1,
          length: 0,
          most: Math.min(most, left - 1),
          chance: addon.leadChance(own, all, undefined),
          tokenMs: share,
          fixedMs: (2 * catchingUpMs) / Math.min(left, 256),
        },
      )
      let accepted = 0
      while (accepted < count && tokens[at + accepted]!.hit) accepted++
      const milliseconds = machine(1 + count)
      const draftingMs = count * share
      taken += milliseconds + (count > 0 ? draftingMs + catchingUpMs : 0)
      plain += (accepted + 1) * machine(1)
      drafted += count
      asked += count > 0 ? 1 : 0
      const given = { tokens: 1 + count, drafted: count, accepted, firstOfSize: false, milliseconds }
      costs = addon.learnStep(costs, {
        ...given,
        draftingMs: count > 0 ? draftingMs : 0,
        catchingUpMs: count > 0 ? catchingUpMs : 0,
      })
      if (count === 0) {
        own = addon.fadeLeads(own)
        all = addon.fadeLeads(all)
      } else {
        computed = at + 1 + accepted
      }
      for (const { lead, hit } of tokens.slice(at, at + Math.min(count, accepted + 1))) {
        own = addon.learnLead(own, lead, hit)
        all = addon.learnLead(all, lead, hit)
      }
      at += accepted + 1
    }
  }
  return { gain: plain / taken, drafted, asked, costs, all }
}

const cases = Object.keys(machines).flatMap((machine) => [0.03, 0.1, 0.3, 1].map((share) => ({ machine, share })))

describe('a draft model', () => {
  it.each(cases)('of $share of the time that is never right costs at most 3 % on a $machine machine', (given) => {
    const machine = machines[given.machine]!
    for (let seed = 1; seed <= 3; seed++) {
      expect(run(machine, given.share, [useless(3000, seed)]).gain).toBeGreaterThan(0.97)
      const short = Array.from({ length: 20 }, (_, index) => useless(150, 100 * seed + index))
      expect(run(machine, given.share, short).gain).toBeGreaterThan(0.97)
    }
  })

  it.each(cases)('of $share of the time that is mostly right costs at most 3 % on a $machine machine', (given) => {
    for (let seed = 1; seed <= 3; seed++) {
      expect(run(machines[given.machine]!, given.share, [good(2000, seed)]).gain).toBeGreaterThan(0.97)
    }
  })

  it.each([
    ['flat', 0.03, 2.5],
    ['flat', 0.1, 2],
    ['common', 0.03, 1.4],
    ['common', 0.1, 1.25],
  ])('pays on a %s machine when it takes %d of a step', (machine, share, least) => {
    expect(run(machines[machine]!, share, [good(1000, 1)]).gain).toBeGreaterThan(least)
  })

  it('that is of no use is asked rarely, and more when it has become one', () => {
    const before = run(machines['common']!, 0.05, [useless(3000, 5)])
    expect(before.asked).toBeGreaterThan(3)
    expect(before.asked).toBeLessThan(60)
    const after = run(machines['common']!, 0.05, [good(3000, 6)], before.costs, before.all)
    expect(after.gain).toBeGreaterThan(1.2)
  })

  it('is believed by what its leads were worth', () => {
    const addon = nativeAddon()
    let odds = noOdds
    for (const { lead, hit } of text(2000, 0, 1, 7)) odds = addon.learnLead(odds, lead, hit)
    const chances = [0.2, 1, 2, 3.5].map((lead) => addon.leadChance(odds, odds, lead))
    expect(chances).toEqual([...chances].sort((a, b) => a - b))
    expect(chances[3]! - chances[0]!).toBeGreaterThan(0.4)
  })
})
