import { describe, expect, it } from 'vitest'
import type { Side } from '../../bench/sides.js'
import { sweep, type Sweep } from '../../bench/sweep.js'

describe('a sweep', () => {
  const asked: string[] = []
  const salts = new Set<number>()
  const peer: Side = {
    name: 'peer',
    note: '',
    run: async (prompts) => {
      asked.push(`peer ${prompts.length}`)
      return 10
    },
    close: async () => undefined,
  }
  const over: Sweep = {
    over: [1, 4],
    rowName: (count) => `${count} streams`,
    axes: { title: 'Streams', x: 'number', y: 'rate' },
    prompts: async (count, salt) => {
      salts.add(salt)
      return Array.from({ length: count }, () => Int32Array.of(salt))
    },
    ours: async (prompts) => {
      asked.push(`ours ${prompts.length}`)
      return 20 * prompts.length
    },
    least: (side, count) => (side === 'peer' && count === 4 ? 5 : undefined),
  }
  const bench = { modelPath: '', rounds: 2, say: () => undefined }

  it('reads each side at each value, the other way round in every second round, with prompts that are new', async () => {
    const { rows, curves } = await sweep(bench, over, [peer])
    expect(asked).toEqual(['ours 1', 'peer 1', 'ours 4', 'peer 4', 'peer 1', 'ours 1', 'peer 4', 'ours 4'])
    expect(salts.size).toBe(4)
    expect(rows.map(({ name, ours, beside, target }) => [name, ours, beside?.readings, target])).toEqual([
      ['1 streams', [20, 20], [10, 10], undefined],
      ['4 streams', [80, 80], [10, 10], { of: 'ratio', atLeast: 5 }],
    ])
    expect(curves.series).toEqual([
      {
        name: 'llamero',
        points: [
          [1, 20],
          [4, 80],
        ],
      },
      {
        name: 'peer',
        points: [
          [1, 10],
          [4, 10],
        ],
      },
    ])
  })

  it('has rows of llamero alone where no peer is there', async () => {
    const { rows } = await sweep(bench, over, [])
    expect(rows.map(({ name, beside }) => [name, beside])).toEqual([
      ['1 streams', undefined],
      ['4 streams', undefined],
    ])
  })
})
