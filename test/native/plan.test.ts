import { describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { PlanLimits, PlanSequence } from '../../lib/native.js'
import { plainLimits } from './plan-simulation.js'

function sequence(id: number, known: number, computed: number, more: Partial<PlanSequence> = {}): PlanSequence {
  const place = { id, known, computed, own: computed, reusable: 0, taken: 0, arrival: id, boundary: 0, whole: false }
  return { ...place, parked: false, waits: false, priority: 0, generating: computed > 0, draft: 0, ...more }
}

function plan(sequences: readonly PlanSequence[], given: Partial<PlanLimits> = {}) {
  const { runs, sliced, preempted } = nativeAddon().planStep(sequences, { ...plainLimits, ...given })
  const text = runs
    .map(({ id, from, count, sample, draft }) => {
      return `${id}:${from}+${count - draft}${draft > 0 ? `+${draft}` : ''}${sample ? '*' : ''}`
    })
    .join(' ')
  const slices = sliced.map(({ id, from, count }) => ` (${id}:${from}+${count})`).join('')
  return { text: text + slices, preempted }
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
      'with slices a prompt is computed beside the step',
      [sequence(1, 100, 20), sequence(2, 11, 10)],
      { slices: true },
      '2:10+1* (1:20+16)',
    ],
    [
      'all of it but its last token, which is a run',
      [sequence(1, 100, 98), sequence(2, 100, 99), sequence(3, 11, 10)],
      { slices: true },
      '2:99+1* 3:10+1* (1:98+1)',
    ],
    [
      'with slices prompts share the budget too',
      [sequence(1, 10, 0), sequence(2, 20, 0), sequence(3, 5, 4)],
      { slices: true },
      '3:4+1* (1:0+9) (2:0+7)',
    ],
    ['with slices what nobody waits beside is a run', [sequence(1, 100, 20)], { slices: true }, '1:20+64'],
    [
      'with slices what is brief is a run all the same',
      [sequence(1, 40, 0, { reusable: 20 }), sequence(2, 60, 0), sequence(3, 11, 10)],
      { slices: true, briefBudget: 20 },
      '3:10+1* 1:20+20* (2:0+16)',
    ],
    [
      'and waits for the next step where this one has no room for it, while what is longer begins',
      [
        sequence(1, 40, 0, { reusable: 20 }),
        sequence(2, 40, 0, { reusable: 30 }),
        sequence(3, 60, 0),
        sequence(4, 11, 10),
      ],
      { slices: true, briefBudget: 20, briefSize: 20 },
      '4:10+1* 1:20+20* (3:0+16)',
    ],
    [
      'but not what is longer and of lower priority',
      [sequence(1, 40, 0, { reusable: 20, priority: 1 }), sequence(2, 60, 0), sequence(3, 11, 10)],
      { slices: true, briefSize: 20 },
      '3:10+1*',
    ],
    [
      'what decodes leave no place for is sliced although it is brief',
      [sequence(1, 40, 0, { reusable: 20 }), sequence(2, 11, 10), sequence(3, 11, 10)],
      { slices: true, briefSize: 20, batchSize: 20 },
      '2:10+1* 3:10+1* (1:20+16)',
    ],
    [
      'what is sliced takes nothing from the room for what is brief',
      [sequence(1, 60, 20), sequence(2, 40, 0, { reusable: 20 }), sequence(3, 11, 10)],
      { slices: true, briefBudget: 20, briefSize: 20 },
      '3:10+1* 2:20+20* (1:20+16)',
    ],
    [
      'what is sliced takes cells from those behind it',
      [
        sequence(1, 41, 20, { priority: 1 }),
        sequence(2, 31, 30, { waits: true }),
        sequence(3, 11, 10, { priority: 2 }),
      ],
      { cells: 61, slices: true },
      '3:10+1* (1:20+16)',
      [2],
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
