import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PlanLimits } from '../../lib/native.js'
import { simulate, type Job, type Simulation } from './plan-simulation.js'

const ways = [
  ['prompts in the steps', false],
  ['prompts in slices', true],
] as const

const calm = { priority: 0, cancelAfter: undefined, parks: [], draft: 0 }

/** Steps between a job's arrival and the end of its prompt, and the longest between two of its tokens. */
function courses({ steps }: Simulation, jobs: readonly Job[]) {
  return jobs.map(({ arrival, prompt }, id) => {
    const sampled = steps.filter(({ plan }) => plan.runs.some((run) => run.id === id && run.sample))
    const times = sampled.map(({ time }) => time)
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    return { prompt, first: (times[0] ?? Infinity) - arrival, gap: Math.max(0, ...gaps), times }
  })
}

const job = (prompt: number, outputs: number): fc.Arbitrary<Job> =>
  fc.record({
    ...{ priority: fc.constant(0), cancelAfter: fc.constant(undefined), parks: fc.constant([]), draft: fc.constant(0) },
    arrival: fc.nat(50),
    prompt: fc.integer({ min: 1, max: prompt }),
    outputs: fc.integer({ min: 1, max: outputs }),
  })

/** The simulation ranks by place in the list. */
const inOrder = (jobs: readonly Job[]) => jobs.toSorted((a, b) => a.arrival - b.arrival)

// With slices a prompt's last token has a step of its own, and what is sliced when a prompt comes is done first.
describe.each(ways)('among requests of one priority, with cells for all, %s', (_, slices) => {
  const limits: PlanLimits = {
    batchSize: 64,
    maxSequences: 16,
    cells: 4096,
    shared: 0,
    prefillBudget: 8,
    briefBudget: 0,
    briefSize: 0,
    draftBudget: 0,
    slices,
  }
  const jobs = fc.array(job(150, 60), { minLength: 1, maxLength: 16 }).map(inOrder)

  it('a stream gets a token in every step, whatever arrives', () => {
    fc.assert(
      fc.property(jobs, (given) => {
        for (const { gap } of courses(simulate({ limits, jobs: given }, 100_000), given)) expect(gap).toBeLessThan(2)
      }),
      { numRuns: 200 },
    )
  })

  it('a prompt is done when all that came before it could be, at the budget that is left beside streams', () => {
    fc.assert(
      fc.property(jobs, (given) => {
        for (const [id, { first }] of courses(simulate({ limits, jobs: given }, 100_000), given).entries()) {
          const before = given.slice(0, id + 1)
          // Each prompt may leave one step's budget not quite used.
          const tokens = before.reduce((sum, { prompt }) => sum + prompt, 0)
          const more = before.length + (slices ? before.length + 1 : 0)
          expect(first).toBeLessThanOrEqual(Math.ceil(tokens / limits.prefillBudget) + more)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe.each(ways)('while short requests of the same priority keep arriving, %s', (_, slices) => {
  const crowd = (count: number, prompt: number, outputs: number): Job[] =>
    Array.from({ length: count }, (_, arrival) => ({ ...calm, arrival, prompt, outputs }))

  it('a request as long as the context gets its place and comes to its end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 20 }),
        fc.nat(40),
        (prompt, outputs, at) => {
          const limits = {
            batchSize: 32,
            maxSequences: 6,
            cells: 128,
            shared: 0,
            prefillBudget: 8,
            briefBudget: 0,
            briefSize: 0,
            draftBudget: 0,
            slices,
          }
          const others = crowd(150, prompt, outputs)
          const long: Job = { ...calm, arrival: at, prompt: 120, outputs: 8 }
          // What arrives at one time is taken in this order.
          const jobs = [...others.slice(0, at), long, ...others.slice(at)]
          const { steps, ended } = simulate({ limits, jobs }, 100_000)
          expect(ended.get(at)).toBe(8)
          const done = steps.findLast(({ plan }) => plan.runs.some(({ id }) => id === at))
          // All before it run to their ends one after the other at worst, and then it does.
          const before = jobs.slice(0, at).reduce((sum, each) => sum + each.prompt + each.outputs, 0)
          expect((done?.time ?? Infinity) - at).toBeLessThanOrEqual(before + 120 + 8)
        },
      ),
      { numRuns: 25 },
    )
  })

  it('a stream of lower rank loses its cells at most once for each request of higher rank', () => {
    const limits = {
      batchSize: 32,
      maxSequences: 8,
      cells: 96,
      shared: 0,
      prefillBudget: 8,
      briefBudget: 0,
      briefSize: 0,
      draftBudget: 0,
      slices,
    }
    const jobs = [{ ...calm, arrival: 0, prompt: 40, outputs: 40 }, ...crowd(200, 10, 10)]
    const { steps, ended } = simulate({ limits, jobs }, 100_000)
    expect(ended.size).toBe(jobs.length)
    expect(steps.flatMap(({ plan }) => plan.preempted)).not.toContain(0)
    const lost = new Map<number, number>()
    for (const id of steps.flatMap(({ plan }) => plan.preempted)) lost.set(id, (lost.get(id) ?? 0) + 1)
    for (const [id, times] of lost) expect(times).toBeLessThanOrEqual(id)
  })
})

describe.each(ways)('among priorities, %s', (_, slices) => {
  it('no token of a lower one is computed while a higher one waits for the room that it takes', () => {
    const limits: PlanLimits = {
      batchSize: 16,
      maxSequences: 4,
      cells: 64,
      shared: 0,
      prefillBudget: 8,
      briefBudget: 12,
      briefSize: 12,
      draftBudget: 0,
      slices,
    }
    const prioritised = job(40, 20).chain((base) =>
      fc.constantFrom(0, 1, 2).map((priority): Job => ({ ...base, priority })),
    )
    fc.assert(
      fc.property(fc.array(prioritised, { minLength: 2, maxLength: 10 }), (jobs) => {
        const { steps, ended } = simulate({ limits, jobs }, 100_000)
        expect(ended.size).toBe(jobs.length)
        for (const { sequences, plan } of steps) {
          const runs = [...plan.runs, ...plan.sliced]
          const begins = runs.filter(({ from }) => from === 0).map(({ id }) => id)
          const waits = sequences.filter(({ id, computed }) => computed === 0 && !runs.some((run) => run.id === id))
          for (const id of begins)
            for (const other of waits)
              expect(jobs[other.id]?.priority, `${other.id} waits, ${id} begins`).toBeLessThanOrEqual(
                jobs[id]?.priority ?? 0,
              )
        }
      }),
      { numRuns: 200 },
    )
  })

  it('a request of the highest ends no later for all that run below it than it would alone, but for one step', () => {
    const limits: PlanLimits = {
      batchSize: 16,
      maxSequences: 4,
      cells: 64,
      shared: 0,
      prefillBudget: 8,
      briefBudget: 12,
      briefSize: 12,
      draftBudget: 0,
      slices,
    }
    const high: Job = { ...calm, arrival: 20, prompt: 30, outputs: 15, priority: 9 }
    fc.assert(
      fc.property(fc.array(job(50, 30), { maxLength: 8 }).map(inOrder), (others) => {
        const jobs = [...others, high]
        const course = courses(simulate({ limits, jobs }, 100_000), jobs)[others.length]
        const most = Math.ceil(high.prompt / limits.prefillBudget) + 1
        expect(course?.first).toBeLessThanOrEqual(slices ? most + 2 : most)
        expect(course?.gap).toBeLessThanOrEqual(1)
      }),
      { numRuns: 200 },
    )
  })
})
