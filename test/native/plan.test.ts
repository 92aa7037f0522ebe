import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { Plan, PlanLimits, PlanSequence } from '../../lib/native.js'
import { simulate, type Job, type Step, type World } from './plan-simulation.js'

const limits: PlanLimits = {
  batchSize: 64,
  maxSequences: 8,
  cells: 256,
  shared: 0,
  prefillBudget: 16,
  briefBudget: 0,
  draftBudget: 20,
  slices: false,
}

function sequence(id: number, known: number, computed: number, more: Partial<PlanSequence> = {}): PlanSequence {
  const place = { id, known, computed, own: computed, reusable: 0, taken: 0, arrival: id, boundary: 0, whole: false }
  return { ...place, parked: false, waits: false, priority: 0, generating: computed > 0, draft: 0, ...more }
}

function plan(sequences: readonly PlanSequence[], given: Partial<PlanLimits> = {}) {
  const { runs, preempted } = nativeAddon().planStep(sequences, { ...limits, ...given })
  const text = runs
    .map(({ id, from, count, sample, draft }) => {
      return `${id}:${from}+${count - draft}${draft > 0 ? `+${draft}` : ''}${sample ? '*' : ''}`
    })
    .join(' ')
  return { text, preempted }
}

describe('the plan of one step', () => {
  const cases: readonly [rule: string, PlanSequence[], Partial<PlanLimits>, runs: string, preempted?: number[]][] = [
    ['nothing to do is an empty plan', [], {}, ''],
    ['a lone prompt fills the batch', [sequence(1, 100, 0)], {}, '1:0+64'],
    ['the last chunk of a prompt is sampled', [sequence(1, 100, 64)], {}, '1:64+36*'],
    ['a prompt that fits is one run', [sequence(1, 10, 0)], {}, '1:0+10*'],
    ['a run ends at its boundary, and is not sampled there', [sequence(1, 100, 0, { boundary: 30 })], {}, '1:0+30'],
    ['what is whole is one run', [sequence(1, 100, 20, { boundary: 60, whole: true })], {}, '1:20+40'],
    [
      'what is whole keeps to no budget, and takes the rest of the batch or waits',
      [
        sequence(1, 11, 10),
        sequence(2, 100, 20, { boundary: 60, whole: true }),
        sequence(3, 100, 20, { boundary: 60, whole: true }),
      ],
      {},
      '1:10+1* 2:20+40',
    ],
    [
      'what is whole takes cells from those behind it',
      [sequence(1, 62, 20, { boundary: 60, whole: true }), sequence(2, 31, 30, { waits: true })],
      { cells: 64 },
      '1:20+40',
      [2],
    ],
    [
      'what is whole and has no cells waits',
      [sequence(1, 31, 30), sequence(2, 62, 20, { boundary: 60, whole: true })],
      { cells: 64 },
      '1:30+1*',
    ],
    ['a decode is a run of one', [sequence(1, 11, 10)], {}, '1:10+1*'],
    [
      'decodes go first and prefill keeps to its budget beside them',
      [sequence(1, 100, 0), sequence(2, 11, 10)],
      {},
      '2:10+1* 1:0+16',
    ],
    [
      'prompts share the budget in the order of their arrival',
      [sequence(2, 10, 0), sequence(1, 10, 0), sequence(3, 5, 4)],
      {},
      '3:4+1* 1:0+10* 2:0+6',
    ],
    [
      'a prompt that is brief runs whole beside decodes',
      [sequence(1, 40, 0, { reusable: 20 }), sequence(2, 11, 10)],
      { briefBudget: 20 },
      '2:10+1* 1:20+20*',
    ],
    [
      'one that is not keeps to the budget, and what is brief overtakes it',
      [sequence(1, 60, 0), sequence(2, 40, 0), sequence(3, 40, 32), sequence(4, 4, 0), sequence(5, 11, 10)],
      { prefillBudget: 6, briefBudget: 10 },
      '5:10+1* 1:0+6 4:0+4*',
    ],
    [
      'the end of a long prompt is not brief',
      [sequence(1, 40, 32), sequence(2, 11, 10)],
      { prefillBudget: 3, briefBudget: 10 },
      '2:10+1* 1:32+3',
    ],
    [
      'what is brief does not overtake a higher priority',
      [
        sequence(1, 60, 0, { priority: 2 }),
        sequence(2, 40, 0, { priority: 1 }),
        sequence(3, 4, 0),
        sequence(4, 11, 10),
      ],
      { prefillBudget: 6, briefBudget: 10 },
      '4:10+1* 1:0+6',
    ],
    [
      'who waits for the turn of its adapters does not run',
      [sequence(1, 11, 10, { waits: true }), sequence(2, 11, 10), sequence(3, 40, 8, { waits: true })],
      {},
      '2:10+1*',
    ],
    [
      'who waits for that turn keeps its rank, and so its cells',
      [sequence(1, 11, 10, { waits: true }), sequence(2, 11, 10)],
      { cells: 20 },
      '',
    ],
    [
      'who comes first and waits for that turn has its place kept free',
      [sequence(1, 60, 0, { waits: true }), sequence(2, 40, 0), sequence(3, 40, 0)],
      { cells: 108 },
      '2:0+40*',
    ],
    ['higher priority goes first', [sequence(1, 60, 0), sequence(2, 60, 0, { priority: 1 })], {}, '2:0+60* 1:0+4'],
    [
      'a new prompt of higher priority goes before one half computed',
      [sequence(1, 100, 50), sequence(2, 60, 0, { priority: 1 })],
      {},
      '2:0+60* 1:50+4',
    ],
    ['a parked sequence does not run', [sequence(1, 11, 10, { parked: true }), sequence(2, 11, 10)], {}, '2:10+1*'],
    ['no more sequences than slots', [sequence(1, 5, 4), sequence(2, 9, 0)], { maxSequences: 1 }, '1:4+1*'],
    ['a prompt waits for the cells it needs', [sequence(1, 200, 199), sequence(2, 60, 0)], {}, '1:199+1*'],
    [
      'a small prompt does not overtake a large one that waits',
      [sequence(1, 200, 199), sequence(2, 60, 0), sequence(3, 2, 0)],
      {},
      '1:199+1*',
    ],
    ['out of cells, the last to come gives way', [sequence(1, 129, 128), sequence(2, 129, 128)], {}, '1:128+1*', [2]],
    [
      'out of cells, low priority gives way before late arrival',
      [sequence(1, 129, 128), sequence(2, 129, 128, { priority: 1 })],
      {},
      '2:128+1*',
      [1],
    ],
    [
      'out of cells, a parked one gives way first',
      [sequence(1, 129, 128, { parked: true, priority: 9 }), sequence(2, 129, 128)],
      {},
      '2:128+1*',
      [1],
    ],
    [
      'a new one of higher priority takes the cells of a running one',
      [sequence(1, 201, 200), sequence(2, 100, 0, { priority: 1 })],
      {},
      '2:0+64',
      [1],
    ],
    ['a new one of equal priority does not', [sequence(1, 201, 200), sequence(2, 100, 0)], {}, '1:200+1*'],
    [
      'a prompt starts behind what another has computed',
      [sequence(1, 100, 0, { reusable: 90, taken: 90 })],
      { shared: 90 },
      '1:90+10*',
    ],
    [
      'cells that another runs on cost nothing',
      [sequence(1, 201, 200), sequence(2, 150, 0, { reusable: 140, taken: 140 })],
      {},
      '1:200+1* 2:140+10*',
    ],
    [
      'cells kept for nobody in particular cost as much as free ones',
      [sequence(1, 201, 200), sequence(2, 150, 0, { reusable: 140 })],
      {},
      '1:200+1*',
    ],
    [
      'preempting frees only what nobody else uses',
      [sequence(1, 101, 100, { own: 0 }), sequence(2, 129, 128, { own: 28 })],
      { shared: 228 },
      '1:100+1*',
      [2],
    ],
    ['a draft lengthens the run of its sequence', [sequence(1, 11, 10, { draft: 5 })], {}, '1:10+1+5*'],
    [
      'drafts share their budget in order of rank',
      [sequence(1, 11, 10, { draft: 15 }), sequence(2, 21, 20, { draft: 15 }), sequence(3, 31, 30, { draft: 1 })],
      {},
      '1:10+1+15* 2:20+1+5* 3:30+1*',
    ],
    [
      'a draft takes what the batch has left',
      [sequence(1, 11, 10, { draft: 9 }), sequence(2, 21, 20)],
      { batchSize: 6 },
      '1:10+1+4* 2:20+1*',
    ],
    [
      'a draft leaves the cells of a prompt that waits for the turn of its adapters',
      [sequence(1, 101, 100, { draft: 9 }), sequence(2, 150, 0, { waits: true })],
      {},
      '1:100+1+3*',
    ],
    ['no draft beside a prompt', [sequence(1, 11, 10, { draft: 5 }), sequence(2, 9, 0)], {}, '1:10+1* 2:0+9*'],
    [
      'a draft beside a prompt that waits for cells leaves one for the next token of each',
      [sequence(1, 101, 100, { draft: 9 }), sequence(2, 150, 149, { draft: 9 }), sequence(3, 90, 0)],
      {},
      '1:100+1+3* 2:149+1*',
    ],
    [
      'a draft takes no cells from others',
      [sequence(1, 101, 100, { draft: 9 }), sequence(2, 155, 154, { parked: true })],
      {},
      '1:100+1*',
    ],
    ['a prompt as long as the context runs alone', [sequence(1, 256, 192)], {}, '1:192+64*'],
  ]
  it.each(cases)('%s', (_rule, sequences, given, runs, preempted = []) => {
    expect(plan(sequences, given)).toEqual({ text: runs, preempted })
    expect(plan(sequences.toReversed(), given)).toEqual({ text: runs, preempted })
  })
})

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
    briefBudget: fc.constantFrom(0, 10, 64),
    draftBudget: fc.constantFrom(0, 5, 64),
    slices: fc.boolean(),
  })
  .chain((given) =>
    fc.record({
      limits: fc.constant(given),
      sliceSteps: fc.integer({ min: 1, max: 6 }),
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
  if (given.slices && decodes.length > 0) {
    must(
      prefills.every((run) => whole(run) || run.count === 1),
      'parts of prompts are sliced',
    )
  }
  const parts = sum([...prefills.filter((run) => !whole(run)), ...sliced].map(({ count }) => count))
  if (decodes.length > 0) must(parts <= given.prefillBudget, 'the budget is kept')
  const most = Math.max(given.prefillBudget, given.briefBudget)
  if (decodes.length > 0)
    must(sum([...prefills, ...sliced].map(({ count }) => count)) <= most, 'the budget of whole prompts is kept')
  for (const run of [...prefills, ...sliced]) {
    const ranked = byId.get(run.id) as PlanSequence
    for (const other of waiting.filter((each) => ranksBefore(each, ranked))) {
      const overtakes = whole(run) && other.priority === ranked.priority
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
    const { steps, ended } = simulate({ limits: { ...limits, cells: 64 }, jobs }, 1000)
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
    const { steps } = simulate({ limits, jobs }, 1000)
    const both = steps.filter(({ plan: { runs } }) => runs.length === 2)
    expect(both.length).toBeGreaterThanOrEqual(Math.ceil(150 / 16))
    for (const {
      plan: { runs },
    } of steps.slice(1, 60))
      expect(runs[0]).toMatchObject({ id: 0, count: 1, sample: true })
  })
})
