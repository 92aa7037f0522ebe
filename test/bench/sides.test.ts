import { describe, expect, it } from 'vitest'
import { withSides, type Side } from '../../bench/sides.js'

describe('the sides of a comparison', () => {
  const closed: string[] = []
  const there: Side = {
    name: 'there',
    note: '',
    run: async () => 1,
    close: async () => {
      closed.push('there')
    },
  }
  const starts = [
    { name: 'missing', start: () => Promise.reject(new Error('it is not built\nand more')) },
    { name: 'there', start: async () => there },
  ]

  it('are those that can be had; of the others it is said why not', async () => {
    const said: string[] = []
    await withSides(
      starts,
      (line) => said.push(line),
      async (sides, skipped) => {
        expect(sides).toEqual([there])
        expect(skipped).toEqual(['missing was skipped: it is not built'])
      },
    )
    expect(said).toEqual(['missing was skipped: it is not built'])
  })

  it('are ended, also where the measurement fails', async () => {
    closed.length = 0
    const failing = withSides(
      starts,
      () => undefined,
      () => Promise.reject(new Error('it failed')),
    )
    await expect(failing).rejects.toThrow('it failed')
    expect(closed).toEqual(['there'])
  })
})
