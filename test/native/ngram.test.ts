import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'

const sizes = [8, 4, 2]
const longest = 16

/** The latest earlier place of the last tokens, looked for from the end. */
function search(tokens: readonly number[], count: number): { length: number; tokens: number[] } {
  const size = tokens.length
  const agreement = (end: number): number => {
    let length = 0
    while (length < longest && length < end && tokens[end - length - 1] === tokens[size - length - 1]) length++
    return length
  }
  for (const n of sizes) {
    for (let end = size - 1; end >= n; end--) {
      if (agreement(end) < n) continue
      const found = [...tokens]
      for (let i = 0; i < count; i++) found.push(found[end + i]!)
      return { length: agreement(end), tokens: found.slice(size) }
    }
  }
  return { length: 0, tokens: [] }
}

function find(tokens: readonly number[], count: number, first = tokens.length) {
  const match = nativeAddon().findNgram(Int32Array.from(tokens), first, count)
  return { length: match.length, tokens: [...match.tokens] }
}

const characters = (text: string) => [...text].map((character) => character.codePointAt(0)!)
const text = (tokens: readonly number[]) => String.fromCodePoint(...tokens)

describe('what followed the last tokens', () => {
  const cases: readonly [rule: string, tokens: string, found: string, length: number][] = [
    ['is nothing in a text without repetition', 'abcdefgh', '', 0],
    ['is nothing after a single token that is known', 'abcdea', '', 0],
    ['follows two tokens that are known', 'abcde.ab', 'cde.', 2],
    ['is that of the latest place', 'ab1 ab2 ab', '2 ab', 3],
    ['is that of the longest of 8, 4 and 2 tokens, be it earlier', 'wxyzAyzByzCwxyz', 'Ayz', 4],
    ['goes on with itself where it runs into the end', 'xyxyxy', 'xyxyx', 4],
    ['may be one token over and over', 'aaaa', 'aaaa', 3],
    ['is matched by up to 16 tokens', 'abcdefghijklmnopqrst!'.repeat(2).slice(0, -1), '!abc', 16],
  ]
  it.each(cases)('%s', (_rule, tokens, found, length) => {
    expect(find(characters(tokens), found.length)).toEqual({ length, tokens: characters(found) })
    expect(text(search(characters(tokens), found.length).tokens)).toBe(found)
  })

  it('is what a plain search finds, however the tokens came', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 300 }),
        fc.nat({ max: 300 }),
        fc.nat({ max: 40 }),
        (alphabet, raw, first, count) => {
          const tokens = raw.map((token) => token % alphabet)
          expect(find(tokens, count, first)).toEqual(search(tokens, count))
        },
      ),
      { numRuns: 500 },
    )
  })

  it('is found in a prompt of 100,000 tokens', () => {
    const tokens = Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 49_157)
    const phrase = [5, 4, 3, 2, 1, 2, 3, 4, 5, 6]
    tokens.splice(60_000, phrase.length, ...phrase)
    expect(find([...tokens, ...phrase.slice(0, 8)], 2)).toEqual({ length: 8, tokens: [5, 6] })
  })
})
