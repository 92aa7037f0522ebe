/** Several readings of one figure, in the order in which they were taken. */
export type Readings = readonly number[]

/** What readings come to. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

export function median(readings: Readings): number {
  const sorted = [...readings].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The smallest reading that `percent` of them do not exceed. */
export function percentile(percent: number, readings: Readings): number {
  const sorted = [...readings].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? NaN
}

export function spread(readings: Readings): Spread {
  return { median: median(readings), least: Math.min(...readings), most: Math.max(...readings) }
}

/** Ratio round by round: speeds drift by tens of percent in an hour, so only neighbours in time are divided. */
export function ratios(readings: Readings, reference: Readings): number[] {
  const rounds = Math.min(readings.length, reference.length)
  return Array.from({ length: rounds }, (_, round) => readings[round]! / reference[round]!)
}

/** Of two ways to the same the quicker one, round by round. */
export function quicker(one: Readings, other: Readings): number[] {
  return one.map((reading, round) => Math.max(reading, other[round]!))
}

/** Takes both readings of a round one after the other, in every second round the other way round. */
export async function inTurns(round: number, ours: () => Promise<void>, peer: () => Promise<void>): Promise<void> {
  for (const side of round % 2 === 0 ? [peer, ours] : [ours, peer]) await side()
}

/** Tokens per second. */
export function rate(tokens: number, milliseconds: number): number {
  return (tokens / milliseconds) * 1000
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
