import { describe, expect, it } from 'vitest'
import { openSides, type Side } from '../../bench/sides.js'

const there: Side = { name: 'there', note: '', run: async () => 1, close: async () => undefined }

describe('the sides of a comparison', () => {
  it('are those that can be had; of the others it is said why not', async () => {
    const said: string[] = []
    const missing = () => Promise.reject(new Error('it is not built\nand more'))
    const { sides, skipped } = await openSides(
      [
        { name: 'missing', start: missing },
        { name: 'there', start: async () => there },
      ],
      (line) => said.push(line),
    )
    expect(sides).toEqual([there])
    expect(skipped).toEqual(['missing was skipped: it is not built'])
    expect(said).toEqual(skipped)
  })
})
