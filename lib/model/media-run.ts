/**
 * Images and audio stand in tokens as runs of negative ids; see `native/engine/media_run.h`, which makes them. Bit 30 is
 * set in the first id of a run.
 */
const beginsRun = 2 ** 30

function isInside(token: number | undefined): boolean {
  return token !== undefined && token < -1 && (token & beginsRun) === 0
}

/** The largest number of first tokens, at most `length`, that cuts no run in two. */
export function wholeLength(tokens: ArrayLike<number>, length: number): number {
  while (length > 0 && isInside(tokens[length])) length--
  return length
}

/** The smallest number of first tokens, at least `length`, that does. */
export function wholeLengthAfter(tokens: ArrayLike<number>, length: number): number {
  while (isInside(tokens[length])) length++
  return length
}
