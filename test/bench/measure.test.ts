import { describe, expect, it } from 'vitest'
import { inTurns, median, percentile, quicker, ratios } from '../../bench/measure.js'

describe('readings', () => {
  it('have a median, also of an even number', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([])).toBeNaN()
  })

  it('have percentiles that are readings', () => {
    const readings = Array.from({ length: 200 }, (_, index) => 200 - index)
    expect(percentile(99, readings)).toBe(198)
    expect(percentile(100, readings)).toBe(200)
  })

  it('are divided round by round', () => {
    expect(ratios([10, 40], [5, 10])).toEqual([2, 4])
  })

  it('of two ways count by the quicker one of each round', () => {
    expect(quicker([10, 40, 7], [20, 30, 7])).toEqual([20, 40, 7])
  })

  it('are taken the other way round in every second round', async () => {
    const order: string[] = []
    const take = (side: string) => async () => {
      order.push(side)
    }
    for (const round of [0, 1]) await inTurns(round, take('ours'), take('peer'))
    expect(order).toEqual(['peer', 'ours', 'ours', 'peer'])
  })
})
