/**
 * An array of strings as it lies in the file. The strings stay bytes until they are asked for, so that a vocabulary of
 * 250,000 tokens costs its bytes and nothing more.
 */
export interface GgufStrings extends Iterable<string> {
  readonly length: number
  /** The string at `index`, ill-formed UTF-8 replaced by U+FFFD; `undefined` outside 0 to `length` - 1. */
  at(index: number): string | undefined
  /** The bytes of the string at `index`; empty outside the range. */
  bytesAt(index: number): Buffer
}

/** @param ends where each string ends in `bytes`; each begins where the one before it ends */
export function stringArray(bytes: Buffer, ends: Uint32Array): GgufStrings {
  const begin = (index: number) => (index === 0 ? 0 : (ends[index - 1] ?? 0))
  return {
    length: ends.length,
    at(index) {
      const end = ends[index]
      return end === undefined ? undefined : bytes.toString('utf8', begin(index), end)
    },
    bytesAt: (index) => bytes.subarray(begin(index), ends[index] ?? begin(index)),
    *[Symbol.iterator]() {
      for (const [index, end] of ends.entries()) yield bytes.toString('utf8', begin(index), end)
    },
  }
}

/** Strings of a program in the shape of those that were read from a file. */
export function packStrings(strings: readonly string[]): GgufStrings {
  const parts = strings.map((string) => Buffer.from(string))
  const ends = new Uint32Array(parts.length)
  let end = 0
  for (const [index, part] of parts.entries()) ends[index] = end += part.length
  return stringArray(Buffer.concat(parts), ends)
}
