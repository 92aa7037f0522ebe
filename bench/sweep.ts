import { median } from './measure.js'
import type { Bench, Curves, Findings, Row } from './scenario.js'
import type { Side } from './sides.js'

/** One figure over another, of llamero and of its peers. */
export interface Sweep {
  readonly over: readonly number[]
  /** What a row at a value is called. */
  readonly rowName: (value: number) => string
  readonly axes: Omit<Curves, 'series'>
  readonly prompts: (value: number, salt: number) => Promise<readonly Int32Array[]>
  readonly ours: (prompts: readonly Int32Array[]) => Promise<number>
  /** Least ratio of our rate to that of the peer with this name. */
  readonly least?: (side: string, value: number) => number | undefined
}

/** Takes the sides' readings at each value one after the other, in every second round the other way round. */
export async function sweep(
  { rounds, say }: Bench,
  { over, rowName, axes, prompts, ours, least }: Sweep,
  sides: readonly Side[],
): Promise<Required<Pick<Findings, 'rows' | 'curves'>>> {
  const all = [{ name: 'llamero', run: ours }, ...sides]
  const readings = all.map(() => over.map((): number[] => []))
  for (let round = 0; round < rounds; round++) {
    for (const [index, value] of over.entries()) {
      say(`round ${round + 1} of ${rounds}, ${rowName(value)}`)
      const given = await prompts(value, 1000 * round + 100 * index + 2)
      const take = async (side: number) => readings[side]![index]!.push(await all[side]!.run(given))
      const turns = [...all.keys()]
      for (const side of round % 2 === 0 ? turns : turns.toReversed()) await take(side)
    }
  }
  const row = (index: number): Row => ({ name: rowName(over[index]!), unit: 'tokens/s', ours: readings[0]![index]! })
  const beside = sides.flatMap(({ name }, at) =>
    over.map((value, index): Row => {
      const atLeast = least?.(name, value)
      return {
        ...row(index),
        beside: { name, readings: readings[at + 1]![index]! },
        ...(atLeast === undefined ? {} : { target: { of: 'ratio', atLeast } }),
      }
    }),
  )
  const series = all.map(({ name }, at) => ({
    name,
    points: over.map((value, index) => [value, median(readings[at]![index]!)] as const),
  }))
  return { rows: sides.length > 0 ? beside : over.map((_, index) => row(index)), curves: { ...axes, series } }
}
