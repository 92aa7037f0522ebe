import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'

function assemble(pieces: readonly Uint8Array[], stop: readonly string[] = []) {
  const { texts, stopped } = nativeAddon().assembleText(pieces, stop)
  return { texts, text: texts.join(''), stopped }
}

/** The bytes cut at every place of `cuts`. */
function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set([0, ...cuts.map((place) => place % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b,
  )
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}

/** The text up to the stop string that is complete first; of several that end there, the longest. */
function upToStop(text: string, stop: readonly string[]): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const found = stop.filter((each) => each !== '' && text.slice(0, end).endsWith(each))
    if (found.length > 0) {
      return { text: text.slice(0, end - Math.max(...found.map(({ length }) => length))), stopped: true }
    }
  }
  return { text, stopped: false }
}

describe('characters across tokens', () => {
  it.each(['hello', 'Grüße', '中文', '🙂🙃', '👨‍👩‍👧', 'e\u0301', 'a\u0000b', '\ufeffx'])(
    '%j comes whole however it is cut',
    (text) => {
      const bytes = Buffer.from(text)
      for (let first = 0; first <= bytes.length; first++) {
        for (let second = first; second <= bytes.length; second++) {
          const { texts, text: all } = assemble([
            bytes.subarray(0, first),
            bytes.subarray(first, second),
            bytes.subarray(second),
          ])
          expect(all).toBe(text)
          expect(texts.join('|')).not.toContain('\ufffd')
        }
      }
    },
  )

  it('any bytes become what TextDecoder makes of them, however they are cut', () => {
    const bytes = fc.uint8Array({ maxLength: 40 })
    const some = fc.constantFrom(
      0x00,
      0x41,
      0x7f,
      0x80,
      0x9f,
      0xa0,
      0xbf,
      0xc0,
      0xc2,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
      0xff,
    )
    const nasty = fc.array(some, { maxLength: 24 }).map((list) => Uint8Array.from(list))
    fc.assert(
      fc.property(fc.oneof(bytes, nasty), fc.array(fc.nat(40), { maxLength: 8 }), (given, cuts) => {
        expect(assemble(cut(given, cuts)).text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(given))
      }),
      { numRuns: 500 },
    )
  })

  it('shows a character with the byte that completes it', () => {
    const pieces = [...Buffer.from('a🙂b')].map((byte) => Uint8Array.of(byte))
    expect(assemble(pieces).texts).toEqual(['a', '', '', '', '🙂', 'b', ''])
  })

  it('shows what is left of a character at the end', () => {
    expect(assemble([Buffer.from('a'), Buffer.from('🙂').subarray(0, 3)]).texts).toEqual(['a', '', '\ufffd'])
  })
})

describe('stop strings', () => {
  const cases: readonly [rule: string, pieces: string[], stop: string[], texts: string[], stopped: boolean][] = [
    ['none: everything at once', ['ab', 'cd'], [], ['ab', 'cd', ''], false],
    ['an empty one is none', ['ab', 'cd'], [''], ['ab', 'cd', ''], false],
    ['inside a piece', ['abXcd'], ['X'], ['ab'], true],
    ['a piece of its own', ['ab', 'X', 'cd'], ['X'], ['ab', ''], true],
    ['across pieces nothing of it shows', ['ab<', 'en', 'd>cd'], ['<end>'], ['ab', '', ''], true],
    ['a start that leads nowhere comes later', ['ab<', 'en', 'ough'], ['<end>'], ['ab', '', '<enough', ''], false],
    ['a start at the very end comes last', ['ab<', 'en'], ['<end>'], ['ab', '', '<en'], false],
    ['a start within a start', ['aab', 'aabaac'], ['aabaac'], ['', 'aab'], true],
    ['a repeated start', ['<<', '<', 'end>'], ['<end>'], ['<', '<', ''], true],
    ['the one that is complete first wins', ['xabc', 'd'], ['abcd', 'bc'], ['xa'], true],
    ['however the text was cut', ['xabcd'], ['abcd', 'bc'], ['xa'], true],
    ['of two with one end the longer wins', ['xabc'], ['bc', 'abc'], ['x'], true],
    ['at the very beginning', ['Xab'], ['X'], [''], true],
    ['an emoji', ['a', '🙂', 'b'], ['🙂'], ['a', ''], true],
  ]
  it.each(cases)('%s', (_rule, pieces, stop, texts, stopped) => {
    const assembled = assemble(
      pieces.map((piece) => Buffer.from(piece)),
      stop,
    )
    expect({ texts: assembled.texts, stopped: assembled.stopped }).toEqual({ texts, stopped })
  })

  it('every cut of a text gives the same, and no part of a stop string that came', () => {
    const letter = fc.constantFrom('a', 'b', 'c', '🙂', 'é')
    const word = (maxLength: number, minLength = 0) =>
      fc.array(letter, { minLength, maxLength }).map((list) => list.join(''))
    const given = fc.record({
      text: word(24),
      stop: fc.array(word(5, 1), { maxLength: 3 }),
      cuts: fc.array(fc.nat(100), { maxLength: 24 }),
    })
    fc.assert(
      fc.property(given, ({ text, stop, cuts }) => {
        const { text: shown, stopped } = assemble(cut(Buffer.from(text), cuts), stop)
        expect({ text: shown, stopped }).toEqual(upToStop(text, stop))
      }),
      { numRuns: 1000 },
    )
  })

  it('holds back only what may become a stop string', () => {
    const { texts } = assemble(
      [...'one two <three> four'].map((letter) => Buffer.from(letter)),
      ['<end>'],
    )
    let shown = ''
    for (const [index, text] of texts.slice(0, -1).entries()) {
      shown += text
      const rest = 'one two <three> four'.slice(shown.length, index + 1)
      expect('<end>'.startsWith(rest)).toBe(true)
    }
  })
})
