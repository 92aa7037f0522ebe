import { describe, expect, it } from 'vitest'
import { wholeLength, wholeLengthAfter } from '../../lib/model/media-run.js'
import { shortenPrompt, type MediaPrompt } from '../../lib/model/media-prompt.js'
import { shiftedTokens } from '../../lib/model/overflow.js'
import type { NativeMedium } from '../../lib/native-types.js'

const first = (id: number): number => id | 0x8000_0000 | 0x4000_0000 | 0
const inside = (id: number): number => ((id | 0x8000_0000) & ~0x4000_0000) | 0
// Two words, a run of four, a run of two, two words.
const tokens = Int32Array.of(5, 6, first(1), inside(2), inside(3), inside(4), first(5), inside(6), 7, 8)

describe('a number of tokens that cuts no medium in two', () => {
  it.each([
    [0, 0, 0],
    [1, 1, 1],
    [2, 2, 2],
    [3, 2, 6],
    [5, 2, 6],
    [6, 6, 6],
    [7, 6, 8],
    [8, 8, 8],
    [10, 10, 10],
    [12, 12, 12],
  ])('of %i is %i before and %i behind', (length, before, behind) => {
    expect([wholeLength(tokens, length), wholeLengthAfter(tokens, length)]).toEqual([before, behind])
  })

  it('is what a shift keeps and drops', () => {
    const answer = Int32Array.of(11, 12, 13)
    expect([...shiftedTokens(tokens, answer, 11, { keep: 1, drop: 2 })]).toEqual([5, ...tokens.subarray(6), 11, 12, 13])
    expect([...shiftedTokens(tokens, answer, 11, { keep: 3, drop: 4 })]).toEqual([5, 6, 7, 8, 11, 12, 13])
  })
})

describe('a prompt that is shortened', () => {
  const medium = {} as NativeMedium
  const prompt: MediaPrompt = {
    tokens,
    media: [
      { at: 2, medium, length: 4 },
      { at: 6, medium, length: 2 },
    ],
  }

  it.each([
    ['nothing', { keep: 1, drop: 0 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [2, 6]],
    ['words', { keep: 0, drop: 2 }, [2, 3, 4, 5, 6, 7, 8, 9], [0, 4]],
    ['a medium that would be cut', { keep: 1, drop: 3 }, [0, 6, 7, 8, 9], [1]],
    ['both', { keep: 3, drop: 4 }, [0, 1, 8, 9], []],
    ['the second', { keep: 6, drop: 1 }, [0, 1, 2, 3, 4, 5, 8, 9], [2]],
  ])('loses %s', (_, shortening, left, places) => {
    const shorter = shortenPrompt(prompt, shortening)
    expect([...shorter.tokens]).toEqual(left.map((index) => tokens[index]))
    expect(shorter.media.map(({ at }) => at)).toEqual(places)
  })
})
