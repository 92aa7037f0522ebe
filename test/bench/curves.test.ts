import { describe, expect, it } from 'vitest'
import { drawCurves } from '../../bench/curves.js'
import type { Curves } from '../../bench/scenario.js'

const curves: Curves = {
  title: 'One stream',
  x: 'depth',
  y: 'rate',
  series: [
    {
      name: 'llamero',
      points: [
        [1, 40],
        [10, 20],
        [100, 0],
      ],
    },
  ],
}

function xsOf(svg: string): number[] {
  return [...svg.matchAll(/<circle cx="(\d+)"/g)].map(([, x]) => Number(x))
}

describe('curves', () => {
  const place = { x: 0, y: 0, width: 990 }

  it('lie over a logarithmic axis', () => {
    expect(xsOf(drawCurves(curves, place))).toEqual([0, 495, 990])
  })

  it('or over a linear one', () => {
    expect(xsOf(drawCurves({ ...curves, scale: 'linear' }, place))).toEqual([0, 90, 990])
  })
})
