import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { ThreadState } from '../../lib/native.js'
import { seededRandom } from '../support/seeded-random.js'

const fresh = (threads = 2): ThreadState => ({
  threads,
  maxThreads: threads,
  steps: 0,
  quietCost: 0,
  slowness: 1,
  slowCost: 0,
  reducedCost: 0,
  stepsUntilProbe: 0,
  probeInterval: 0,
  probesPassed: 0,
  judging: false,
  probing: false,
})

/** What a step costs, in quiet steps with all threads. */
type Machine = (step: number, threads: number) => number

interface Run {
  readonly state: ThreadState
  /** Threads of each step. */
  readonly threads: readonly number[]
  readonly cost: number
}

function run(machine: Machine, steps: number, from: ThreadState = fresh()): Run {
  let state = from
  let cost = 0
  const threads: number[] = []
  for (let step = 0; step < steps; step++) {
    threads.push(state.threads)
    const taken = machine(step, state.threads)
    cost += taken
    state = nativeAddon().nextThreads(state, taken * 3.3)
  }
  return { state, threads, cost }
}

const warm = (threads = 2) => run(quiet, 50, fresh(threads)).state
const quiet: Machine = (_step, threads) => (threads === 1 ? 2 : 1)
/** Early on the rule tries fewer threads for two steps. */
const trialEnd = 6
const contended: Machine = (_step, threads) => (threads === 1 ? 2 : 30)
const noise = (seed: number, spread: number) => {
  const random = seededRandom(seed)
  return () => 1 + spread * (2 * random() - 1)
}

describe('the thread rule keeps all threads', () => {
  const machines: readonly [rule: string, Machine][] = [
    ['in quiet steps', quiet],
    ['in a slow drift to four times the cost', (step) => 4 ** (step / 2000)],
    ['in a slow drift back', (step) => 4 ** (1 - step / 2000)],
    ['after one hiccup of a hundred times the cost', (step) => (step === 100 ? 100 : 1)],
    ['with such a hiccup every hundred steps', (step) => (step % 100 === 99 ? 100 : 1)],
    ['when every step costs half as much again from some step on', (step) => (step < 100 ? 1 : 1.5)],
  ]
  it.each(machines)('%s', (_rule, machine) => {
    const from = run((_step, threads) => machine(0, threads), 50).state
    expect(new Set(run(machine, 2000, from).threads)).toEqual(new Set([2]))
  })

  it('with noise of a quarter around any cost, hiccups included', () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0.01, max: 1000, noNaN: true }), (seed, scale) => {
        const factor = noise(seed, 0.25)
        const { threads } = run((step) => scale * factor() * (step % 150 === 149 ? 100 : 1), 1000)
        return threads.slice(trialEnd).every((count) => count === 2)
      }),
      { numRuns: 30 },
    )
  })

  it('when there is only one', () => {
    expect(run((step) => (step < 100 ? 1 : 30), 400, fresh(1)).state.threads).toBe(1)
  })
})

describe('the thread rule when the cores are taken', () => {
  it('finds out within ten steps when they were taken from the start', () => {
    expect(run(contended, 300).threads.slice(8, 36)).toEqual(Array(28).fill(1))
    expect(600 / run(contended, 600).cost).toBeGreaterThan(0.3)
  })

  it.each([2, 3, 4, 8, 16])('halves %i threads within a few steps', (threads) => {
    const { threads: used } = run((_step, count) => (count === threads ? 30 : 2), 10, warm(threads))
    expect(used.findIndex((count) => count < threads)).toBeLessThanOrEqual(3)
    expect(used.at(-1)).toBe(Math.floor(threads / 2))
  })

  it('keeps 0.4 of the quiet rate over 600 steps', () => {
    expect(600 / run(contended, 600, warm()).cost).toBeGreaterThanOrEqual(0.4)
  })

  it('keeps it with noise too', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const factor = noise(seed, 0.3)
        return 600 / run((step, threads) => factor() * contended(step, threads), 600, warm()).cost >= 0.4
      }),
      { numRuns: 50 },
    )
  })

  it('keeps it over 10,000 steps', () => {
    expect(10_000 / run(contended, 10_000, warm()).cost).toBeGreaterThanOrEqual(0.45)
  })

  it('finds out where all threads are but 2.2 times slower, and fewer much less', () => {
    const shared: Machine = (_step, threads) => (threads === 1 ? 1.25 : 2.2)
    const { threads, cost } = run(shared, 600, warm())
    expect(threads.indexOf(1)).toBeLessThanOrEqual(16)
    expect(600 / cost).toBeGreaterThanOrEqual(0.75)
  })

  it('gets three times the rate out of a machine on which every other step takes twenty times as long', () => {
    const random = seededRandom(7)
    const bimodal: Machine = (_step, threads) => (threads === 1 ? 2 : random() < 0.5 ? 20 : 1)
    const withAll = run((step) => bimodal(step, 2), 2000, { ...fresh(), maxThreads: 1, threads: 1 }).cost
    expect(withAll / run(bimodal, 2000, warm()).cost).toBeGreaterThanOrEqual(3)
  })

  it('is not fooled for long by two reduced steps that did not get a core', () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seededRandom(seed)
      let reduced = 0
      const unlucky: Machine = (_step, threads) => {
        if (threads === 1) return reduced++ < 2 ? 40 : 2
        return random() < 0.2 ? 1 : 8
      }
      expect(600 / run(unlucky, 600).cost).toBeGreaterThan(0.33)
    }
  })

  it.each([20, 100, 600, 5000])('comes back when %i steps later the cores are free', (busy) => {
    const reduced = run(contended, busy, warm()).state
    const { threads } = run(quiet, 300, reduced)
    const back = threads.findIndex((_count, step) => threads.slice(step).every((count) => count === 2))
    expect(back).toBeGreaterThanOrEqual(0)
    expect(back).toBeLessThanOrEqual(260)
  })

  it('comes back where fewer threads are nearly as fast', () => {
    const reduced = run(contended, 200, warm()).state
    expect(run((_step, threads) => (threads === 1 ? 1.05 : 1), 300, reduced).state.threads).toBe(2)
  })

  it('reduces again when they are taken again', () => {
    const back = run(quiet, 400, run(contended, 100, warm()).state).state
    expect(back.threads).toBe(2)
    expect(run(contended, 10, back).state.threads).toBe(1)
  })
})

describe('the thread rule when the work becomes dearer at once', () => {
  it.each([3, 4, 8, 30])('takes all threads back within sixteen steps when a step costs %i times as much', (factor) => {
    const { threads, cost } = run((step, count) => factor * quiet(step, count), 128, warm())
    expect(threads.filter((count) => count === 1).length).toBeLessThanOrEqual(2)
    expect(threads.slice(16).every((count) => count === 2)).toBe(true)
    expect((128 * factor) / cost).toBeGreaterThanOrEqual(0.98)
  })

  it('still notices neighbours at the new cost', () => {
    const deep = run((step, threads) => 4 * quiet(step, threads), 128, warm()).state
    expect(run((step, threads) => 4 * contended(step, threads), 10, deep).state.threads).toBe(1)
  })
})

it('the thread rule ignores a step that took no time', () => {
  expect(nativeAddon().nextThreads(warm(), 0)).toEqual(warm())
})
