import { median } from './measure.js'

// So many that one which the machine delayed decides nothing, so few that they lie close: of 32 steps beside a prompt at
// least one carries none of it.
const neighbours = 5

/**
 * Gaps of a stream in its normal steps at the time: each is divided by the median of those five steps nearest to it that
 * had nothing of a prompt in them. A stream gets slower as it gets deeper, and machines by what else they do, so no step of
 * long before or after tells what is normal.
 *
 * @param gaps ms, in order
 * @param normal which of them the stream had to itself; at least one
 */
export function inNormalSteps(gaps: readonly number[], normal: readonly boolean[]): number[] {
  const own = [...gaps.keys()].filter((index) => normal[index] === true)
  if (own.length === 0) throw new Error('No step was without a prompt.')
  let before = 0
  return gaps.map((gap, index) => {
    while (before < own.length && own[before]! < index) before += 1
    const around = own.slice(Math.max(0, before - neighbours), before + neighbours)
    const nearest = around.sort((a, b) => Math.abs(a - index) - Math.abs(b - index)).slice(0, neighbours)
    return gap / median(nearest.map((other) => gaps[other]!))
  })
}

/**
 * Which gaps between arrivals had nothing of a prompt in them, whose progress came at the times given: it is told together
 * with the token that the step made, right before or behind it, so each time belongs to the nearest arrival.
 *
 * @param arrivals times of the tokens, in order; the gap before the second is the first
 * @param progress times, in order
 */
export function withoutPrompt(arrivals: readonly number[], progress: readonly number[]): boolean[] {
  const carried = new Set<number>()
  let at = 0
  for (const time of progress) {
    while (at + 1 < arrivals.length && Math.abs(arrivals[at + 1]! - time) <= Math.abs(arrivals[at]! - time)) at += 1
    carried.add(at)
  }
  return arrivals.slice(1).map((_, index) => !carried.has(index + 1))
}
