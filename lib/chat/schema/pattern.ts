import { anyCodePoint, type CodePoints, complement, union } from './code-points.js'

/** A regular expression as a tree; it matches the whole text. */
export type Pattern =
  | { readonly kind: 'set'; readonly points: CodePoints }
  | { readonly kind: 'sequence'; readonly items: readonly Pattern[] }
  | { readonly kind: 'choice'; readonly options: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly item: Pattern; readonly min: number; readonly max: number }

/** Why a pattern is not in the subset that can be followed. */
export class PatternError extends Error {}

const maxRepeat = 1000
const maxNesting = 16
const maxSize = 2000

const digit: CodePoints = [[0x30, 0x39]]
const word: CodePoints = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]
const space: CodePoints = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]
const lineEnds: CodePoints = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
]
const sets: Readonly<Record<string, CodePoints>> = {
  d: digit,
  D: complement(digit),
  w: word,
  W: complement(word),
  s: space,
  S: complement(space),
}
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, '0': 0 }

const anything: Pattern = { kind: 'repeat', item: { kind: 'set', points: anyCodePoint }, min: 0, max: Infinity }

/**
 * Reads the regular part of ECMAScript's patterns, with the meaning of its flag `u`: characters, classes, groups,
 * alternatives, repetitions, and `^` and `$` at the ends. Look-around, back-references, word boundaries and properties
 * of Unicode are not in it: with these a match may take exponential time, or has no grammar.
 * Throws {@link PatternError}.
 */
export function parsePattern(source: string): Pattern {
  const characters = Array.from(source)
  let at = 0
  let size = 0

  const fail = (reason: string): PatternError => new PatternError(reason)
  const peek = (): string => characters[at] ?? ''
  const take = (): string => characters[at++] ?? ''

  function readAlternatives(depth: number): Pattern {
    if (depth > maxNesting) throw fail(`groups are nested more than ${maxNesting} levels deep`)
    const options = [readSequence(depth)]
    while (peek() === '|') {
      at++
      options.push(readSequence(depth))
    }
    return options.length === 1 ? (options[0] as Pattern) : { kind: 'choice', options }
  }

  function readSequence(depth: number): Pattern {
    const items: Pattern[] = []
    const outermost = depth === 0
    let anchored = false
    if (outermost && peek() === '^') {
      at++
      anchored = true
    }
    if (outermost && !anchored) items.push(anything)
    let ended = false
    while (at < characters.length && peek() !== '|' && peek() !== ')') {
      if (outermost && peek() === '$' && ['', '|'].includes(characters[at + 1] ?? '')) {
        at++
        ended = true
        break
      }
      items.push(readRepetition(readAtom(depth)))
    }
    if (outermost && !ended) items.push(anything)
    return items.length === 1 ? (items[0] as Pattern) : { kind: 'sequence', items }
  }

  function readAtom(depth: number): Pattern {
    if (++size > maxSize) throw fail('it is too large')
    const next = take()
    if (next === '.') return { kind: 'set', points: complement(lineEnds) }
    if (next === '[') return { kind: 'set', points: readClass() }
    if (next === '(') return readGroup(depth)
    if (next === '\\') return { kind: 'set', points: readEscape() }
    if ('^$'.includes(next)) throw fail(`"${next}" is supported at the ends only`)
    if ('*+?{}]'.includes(next)) throw fail(`"${next}" stands alone`)
    return one(next.codePointAt(0) ?? 0)
  }

  function readGroup(depth: number): Pattern {
    if (peek() === '?') {
      at++
      if (take() !== ':') throw fail('look-around, named groups and flags are not supported')
    }
    const group = readAlternatives(depth + 1)
    if (take() !== ')') throw fail('a group does not end')
    return group
  }

  function readEscape(): CodePoints {
    const next = take()
    const set = sets[next]
    if (set !== undefined) return set
    const control = controls[next]
    if (control !== undefined && !(next === '0' && /^\d$/.test(peek()))) return [[control, control]]
    if (next === 'x' || next === 'u') return readHex(next === 'x' ? 2 : 4)
    if (next === '' || !'^$\\.*+?()[]{}|/-'.includes(next)) throw fail(`"\\${next}" is not supported`)
    const point = next.codePointAt(0) ?? 0
    return [[point, point]]
  }

  function readHex(digits: number): CodePoints {
    let hex = ''
    if (digits === 4 && peek() === '{') {
      at++
      while (at < characters.length && peek() !== '}' && hex.length < 6) hex += take()
      if (take() !== '}') throw fail('an escape does not end')
    } else {
      for (let i = 0; i < digits; i++) hex += take()
    }
    const point = /^[0-9a-f]+$/i.test(hex) ? parseInt(hex, 16) : Infinity
    if (point > 0x10ffff) throw fail(`"${hex}" is no code point`)
    return [[point, point]]
  }

  function readClass(): CodePoints {
    const negated = peek() === '^'
    if (negated) at++
    const ranges: (readonly [number, number])[] = []
    while (peek() !== ']') {
      if (at >= characters.length) throw fail('a class does not end')
      const from = readClassAtom()
      if (peek() !== '-' || (characters[at + 1] ?? ']') === ']') {
        ranges.push(...from)
        continue
      }
      at++
      const to = readClassAtom()
      const [low, high] = [single(from), single(to)]
      if (low > high) throw fail('a range in a class is the wrong way round')
      ranges.push([low, high])
    }
    at++
    return negated ? complement(ranges) : union(ranges)
  }

  function readClassAtom(): CodePoints {
    const next = take()
    if (next === '\\') return peek() === 'b' ? (take(), [[8, 8]]) : readEscape()
    const point = next.codePointAt(0) ?? 0
    return [[point, point]]
  }

  function single(points: CodePoints): number {
    const [first] = points
    if (points.length !== 1 || first === undefined || first[0] !== first[1]) {
      throw fail('a range in a class needs characters at its ends')
    }
    return first[0]
  }

  function readRepetition(item: Pattern): Pattern {
    const sign = peek()
    if (sign !== '*' && sign !== '+' && sign !== '?' && sign !== '{') return item
    at++
    let [min, max] = sign === '+' ? [1, Infinity] : [0, sign === '?' ? 1 : Infinity]
    if (sign === '{') {
      min = readCount()
      max = min
      if (peek() === ',') {
        at++
        max = peek() === '}' ? Infinity : readCount()
      }
      if (take() !== '}') throw fail('a repetition does not end')
      if (min > max) throw fail(`{${min},${max}} has its bounds the wrong way round`)
      if (min > maxRepeat || (max > maxRepeat && max !== Infinity)) {
        throw fail(`a repetition is limited to ${maxRepeat}`)
      }
    }
    // Lazy or not: the same texts match.
    if (peek() === '?') at++
    if ('*+?{'.includes(peek()) && peek() !== '') throw fail('a repetition is repeated')
    return { kind: 'repeat', item, min, max }
  }

  function readCount(): number {
    let digits = ''
    while (/^\d$/.test(peek())) digits += take()
    if (digits === '' || digits.length > 6) throw fail('a repetition needs numbers')
    return Number(digits)
  }

  const pattern = readAlternatives(0)
  if (at < characters.length) throw fail(`"${peek()}" stands alone`)
  if (patternSize(pattern) > maxSize) throw fail('its repetitions are too large')
  return pattern
}

function one(point: number): Pattern {
  return { kind: 'set', points: [[point, point]] }
}

/** Sets of characters in the pattern when repetitions are written out. */
export function patternSize(pattern: Pattern): number {
  switch (pattern.kind) {
    case 'set':
      return 1
    case 'repeat':
      return patternSize(pattern.item) * Math.max(1, pattern.max === Infinity ? pattern.min + 1 : pattern.max)
    case 'sequence':
      return pattern.items.reduce((sum, item) => sum + patternSize(item), 0)
    case 'choice':
      return pattern.options.reduce((sum, option) => sum + patternSize(option), 0)
  }
}

/** The fewest and the most characters that match. */
export function patternLength(pattern: Pattern): readonly [number, number] {
  switch (pattern.kind) {
    case 'set':
      return [1, 1]
    case 'repeat': {
      const [least, most] = patternLength(pattern.item)
      return [least * pattern.min, most === 0 ? 0 : most * pattern.max]
    }
    case 'sequence': {
      const lengths = pattern.items.map(patternLength)
      return [lengths.reduce((sum, [least]) => sum + least, 0), lengths.reduce((sum, [, most]) => sum + most, 0)]
    }
    case 'choice': {
      const lengths = pattern.options.map(patternLength)
      return [Math.min(...lengths.map(([least]) => least)), Math.max(...lengths.map(([, most]) => most))]
    }
  }
}
