import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { Plan, PlanSequence } from '../../lib/native.js'
import { plainLimits, simulate, type Job, type Step, type World } from './plan-simulation.js'

const job = (cells: number): fc.Arbitrary<Job> =>
  fc.record({
    arrival: fc.nat(60),
    prompt: fc.integer({ min: 1, max: cells }),
    outputs: fc.integer({ min: 1, max: 40 }),
    priority: fc.constantFrom(0, 0, 0, 1, -1, 5),
    cancelAfter: fc.option(fc.nat(80), { nil: undefined, freq: 4 }),
    parks: fc.array(
      fc.record({
        after: fc.integer({ min: 1, max: 40 }),
        steps: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(Infinity)),
      }),
      { maxLength: 2 },
    ),
    draft: fc.constantFrom(0, 0, 1, 7, 30),
  })

const world: fc.Arbitrary<World> = fc
  .record({
    batchSize: fc.integer({ min: 1, max: 64 }),
    maxSequences: fc.integer({ min: 1, max: 12 }),
    cells: fc.integer({ min: 1, max: 200 }),
    shared: fc.constant(0),
    prefillBudget: fc.integer({ min: 1, max: 64 }),
    briefSize: fc.constantFrom(0, 10, 64),
    draftBudget: fc.constantFrom(0, 5, 64),
    slices: fc.boolean(),
  })
  .chain((given) =>
    fc.record({
      limits: fc.constant({ ...given, briefBudget: given.briefSize }),
      sliceSteps: fc.integer({ min: 1, max: 6 }),
      lookEvery: fc.integer({ min: 2, max: 32 }),
      jobs: fc.array(job(given.cells), { minLength: 1, maxLength: 14 }),
    }),
  )

/** Much cheaper than `expect`, which matters some hundred thousand times. */
function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(rule)
}

function checkStep({ sequences, limits: given, plan: { runs, sliced, preempted } }: Step): void {
  const bare = nativeAddon().planStep(
    sequences.map((each) => ({ ...each, draft: 0 })),
    given,
  )
  const known = runs.map((run) => ({ ...run, count: run.count - run.draft, draft: 0 }))
  must(
    JSON.stringify({ runs: known, sliced, preempted }) === JSON.stringify(bare),
    'drafts change nothing about what else is done',
  )
  const computed = new Map(sequences.map((each) => [each.id, preempted.includes(each.id) ? 0 : each.computed]))
  const byId = new Map(sequences.map((each) => [each.id, each]))
  const ran = new Set([...runs, ...sliced].map(({ id }) => id))
  must(ran.size === runs.length + sliced.length, 'a sequence has one run at most')
  must(new Set(preempted).size === preempted.length, 'a sequence is preempted once at most')
  for (const id of preempted) must((byId.get(id)?.computed ?? 0) > 0, 'only who holds cells is preempted')
  for (const { id, from, count, sample, draft } of runs) {
    const { known, parked, draft: proposed } = byId.get(id) as PlanSequence
    must(!parked, 'a parked sequence does not run')
    must(!preempted.includes(id), 'a preempted sequence does not run')
    const end = from + count - draft
    must(end > from && from === computed.get(id) && end <= known, 'a run begins where the last one ended')
    must(sample === (end === known), 'a run is sampled when it reaches the last known token')
    must(draft >= 0 && draft <= proposed && (draft === 0 || sample), 'no more is drafted than was proposed')
    computed.set(id, from + count)
  }
  for (const { id, from, count, sample, draft } of sliced) {
    const { known, parked, waits } = byId.get(id) as PlanSequence
    must(given.slices && !parked && !waits && !preempted.includes(id), 'what is sliced could run')
    must(count > 0 && from === computed.get(id), 'a slice begins where the last run ended')
    must(!sample && draft === 0 && from + count < known, 'a last token is never sliced')
    computed.set(id, from + count)
  }
  const sum = (counts: Iterable<number>) => [...counts].reduce((total, count) => total + count, 0)
  const batch = sum(runs.map(({ count }) => count))
  const drafted = sum(runs.map(({ draft }) => draft))
  const cells = sum(computed.values())
  const inSlices = sequences.some(({ waits }) => waits)
  must(batch > 0 || inSlices, 'whoever can run advances somebody')
  must(batch <= given.batchSize, 'the batch is kept')
  must(cells <= given.cells, 'the cells are kept')
  must(drafted <= given.draftBudget, 'the budget of drafts is kept')
  must([...computed.values()].filter((count) => count > 0).length <= given.maxSequences, 'the slots are kept')

  const waiting = sequences.filter(
    ({ id, parked, waits }) => !parked && !waits && !ran.has(id) && !preempted.includes(id),
  )
  const lacksOne = ({ known, computed: done }: PlanSequence) => done > 0 && known - done === 1
  const decodes = runs.filter(({ id }) => lacksOne(byId.get(id) as PlanSequence))
  const prefills = runs.filter((run) => !decodes.includes(run))
  if (waiting.some(lacksOne)) must(batch === given.batchSize || cells === given.cells, 'decodes go first')
  if (prefills.length > 0 || sliced.length > 0) must(drafted === 0, 'drafts run in steps without prompts')
  const whole = (run: Plan['runs'][number]) =>
    sequences.some(({ id, computed }) => id === run.id && computed === 0) && run.sample
  if (sliced.length > 0) must(decodes.length > 0, 'what nobody waits beside is not sliced')
  for (const { id } of sliced) {
    const { known, computed: done } = byId.get(id) as PlanSequence
    must(done > 0 || known > Math.min(given.briefSize, given.batchSize - decodes.length), 'what is brief is not sliced')
  }
  if (given.slices && decodes.length > 0) {
    must(
      prefills.every((run) => whole(run) || run.count === 1),
      'parts of prompts are sliced',
    )
  }
  const parts = sum([...prefills.filter((run) => !whole(run)), ...sliced].map(({ count }) => count))
  if (decodes.length > 0) must(parts <= given.prefillBudget, 'the budget is kept')
  const most = Math.max(given.prefillBudget, given.briefBudget)
  if (decodes.length > 0) must(sum(prefills.map(({ count }) => count)) <= most, 'the budget of whole prompts is kept')
  for (const run of [...prefills, ...sliced]) {
    const ranked = byId.get(run.id) as PlanSequence
    for (const other of waiting.filter((each) => ranksBefore(each, ranked))) {
      const toBeWhole = sliced.includes(run) && other.computed === 0 && other.known <= given.briefSize
      const overtakes = (whole(run) || toBeWhole) && other.priority === ranked.priority
      const admitted = run.from > 0 && other.computed === 0
      must(lacksOne(other) || admitted || overtakes, `${run.id} runs before ${other.id}`)
    }
  }
}

function ranksBefore(a: PlanSequence, b: PlanSequence): boolean {
  return a.priority > b.priority || (a.priority === b.priority && a.arrival < b.arrival)
}

describe('an engine over the plan', () => {
  it('keeps to its limits and brings every sequence to its end', () => {
    fc.assert(
      fc.property(world, (given) => {
        const work = given.jobs.reduce((sum, { prompt, outputs }) => sum + prompt + outputs, 0)
        const { steps, ended, cancelled, events } = simulate(given, 100_000)
        for (const step of steps) checkStep(step)

        for (const [id, { prompt, outputs, parks }] of given.jobs.entries()) {
          const forever = parks.some(({ after, steps: duration }) => duration === Infinity && after < outputs)
          if (cancelled.has(id) || forever) continue
          expect(ended.get(id), `job ${id}`).toBe(Math.min(outputs, given.limits.cells - prompt + 1))
        }
        const preemptions = steps.reduce((sum, { plan: { preempted } }) => sum + preempted.length, 0)
        expect(steps.length).toBeLessThanOrEqual(work + preemptions * given.limits.cells)

        const last = new Map<number, number>()
        for (const {
          time,
          plan: { preempted },
        } of steps) {
          for (const id of preempted) {
            const before = last.get(id)
            const changed = before === undefined || events.some((event) => event >= before && event <= time)
            expect(changed, `${id} is preempted at ${before} and at ${time}, and nothing happened in between`).toBe(
              true,
            )
            last.set(id, time)
          }
        }
      }),
      { numRuns: 400 },
    )
  })

  it('recomputes a preempted sequence from its first token', () => {
    const jobs = [0, 1].map((arrival): Job => ({
      arrival,
      prompt: 20,
      outputs: 30,
      priority: 0,
      cancelAfter: undefined,
      parks: [],
      draft: 0,
    }))
    const { steps, ended } = simulate({ limits: { ...plainLimits, cells: 64 }, jobs }, 1000)
    const preempted = steps.findIndex((step) => step.plan.preempted.includes(1))
    expect(preempted).toBeGreaterThan(0)
    const next = steps.slice(preempted + 1).flatMap((step) => step.plan.runs.filter(({ id }) => id === 1))[0]
    expect(next?.from).toBe(0)
    expect([...ended]).toEqual([
      [0, 30],
      [1, 30],
    ])
  })

  it('lets a long prompt in without stopping the streams that run', () => {
    const base = { priority: 0, cancelAfter: undefined, parks: [], draft: 0 }
    const jobs: Job[] = [
      { ...base, arrival: 0, prompt: 4, outputs: 100 },
      { ...base, arrival: 10, prompt: 150, outputs: 5 },
    ]
    const { steps } = simulate({ limits: plainLimits, jobs }, 1000)
    const both = steps.filter(({ plan: { runs } }) => runs.length === 2)
    expect(both.length).toBeGreaterThanOrEqual(Math.ceil(150 / 16))
    for (const {
      plan: { runs },
    } of steps.slice(1, 60))
      expect(runs[0]).toMatchObject({ id: 0, count: 1, sample: true })
  })
})
