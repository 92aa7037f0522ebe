/** A set of code points as ranges, ascending and apart from one another; both ends belong to a range. */
export type CodePoints = readonly (readonly [number, number])[]

export const lastCodePoint = 0x10ffff

/** All of them. */
export const anyCodePoint: CodePoints = [[0, lastCodePoint]]

/** Every code point that lies in one of the ranges. */
export function union(ranges: CodePoints): CodePoints {
  const merged: [number, number][] = []
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else merged.push([from, to])
  }
  return merged
}

/** Every code point that lies in none of the ranges. */
export function complement(ranges: CodePoints): CodePoints {
  const rest: [number, number][] = []
  let next = 0
  for (const [from, to] of union(ranges)) {
    if (from > next) rest.push([next, from - 1])
    next = to + 1
  }
  if (next <= lastCodePoint) rest.push([next, lastCodePoint])
  return rest
}

/** Those of `ranges` that are not in `others`. */
export function without(ranges: CodePoints, others: CodePoints): CodePoints {
  return complement([...complement(ranges), ...others])
}

/** Whether the code point is in the set. */
export function contains(ranges: CodePoints, codePoint: number): boolean {
  return ranges.some(([from, to]) => from <= codePoint && codePoint <= to)
}
