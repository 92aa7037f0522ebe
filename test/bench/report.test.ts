import { describe, expect, it } from 'vitest'
import { meets, table } from '../../bench/report.js'
import type { Row, Scenario } from '../../bench/scenario.js'

const row: Row = {
  name: 'decode',
  unit: 'tokens/s',
  ours: [150, 300, 200],
  beside: { name: 'peer', readings: [100, 100, 160] },
}

describe('a row', () => {
  it('is held to the median of its ratios, not to the ratio of medians', () => {
    expect(meets({ ...row, target: { of: 'ratio', atLeast: 1.5 } })).toBe(true)
    expect(meets({ ...row, target: { of: 'ratio', atLeast: 1.51 } })).toBe(false)
  })

  it('may be held to a value of its own', () => {
    expect(meets({ ...row, target: { of: 'value', atMost: 200 } })).toBe(true)
    expect(meets({ ...row, target: { of: 'value', atMost: 199 } })).toBe(false)
  })

  it('without a target neither meets nor misses one', () => {
    expect(meets(row)).toBeUndefined()
  })

  it('shows medians with their ranges, the peer and whether the target is met', () => {
    const scenario: Scenario = { name: 'speed', title: 'how fast', run: () => Promise.reject(new Error('not run')) }
    const target = { of: 'ratio', atLeast: 2 } as const
    const lines = table(scenario, { rows: [{ ...row, target }], notes: ['quiet'] }).split('\n')
    expect(lines[0]).toBe('speed: how fast; median (range)')
    expect(lines[2]).toBe('decode (tokens/s)  200 (150–300)  100 (100–160)  peer  1.50 (1.25–3.00)  ≥ 2 MISSED')
    expect(lines[3]).toBe('  · quiet')
  })
})
