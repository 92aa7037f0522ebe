import { anyCodePoint, type CodePoints, contains, without } from './code-points.js'
import type { Pattern } from './pattern.js'

/** The longest repetition in a grammar. */
const maxTimes = 1000

const quote = 0x22
const backslash = 0x5c
/** What JSON writes as a backslash and one more character. */
const escapes: readonly (readonly [number, string])[] = [
  [quote, '\\"'],
  [backslash, '\\\\'],
  [0x08, 'b'],
  [0x0c, 'f'],
  [0x0a, 'n'],
  [0x0d, 'r'],
  [0x09, 't'],
]
/** What can't stand in a JSON string as it is, and halves of characters. */
const notPlain: CodePoints = [
  [0, 0x1f],
  [quote, quote],
  [backslash, backslash],
  [0xd800, 0xdfff],
]

/** A GBNF expression for JSON strings that match `pattern`. */
export function textGrammar(pattern: Pattern): string {
  return `"\\"" ${expression(pattern)} "\\""`
}

/** A pattern for texts by their number of characters. */
export function lengthPattern(min: number, max: number): Pattern {
  return { kind: 'repeat', item: { kind: 'set', points: anyCodePoint }, min, max }
}

function expression(pattern: Pattern): string {
  switch (pattern.kind) {
    case 'set':
      return character(pattern.points)
    case 'sequence':
      return pattern.items.length === 0 ? '""' : pattern.items.map(expression).join(' ')
    case 'choice':
      return `(${pattern.options.map(expression).join(' | ')})`
    case 'repeat':
      return repetition(group(expression(pattern.item)), pattern.min, pattern.max)
  }
}

/** One item, whatever it is made of. */
function group(source: string): string {
  return /^(\[[^\]]*\]|\([^()]*\))$/.test(source) ? source : `(${source})`
}

/** `item` from `min` to `max` times. */
function repetition(item: string, min: number, max: number): string {
  if (max === 0) return '""'
  if (max === Infinity) return min === 0 ? `${item}*` : `${item}{${min},}`
  if (max <= maxTimes) return `${item}{${min},${max}}`
  const long = `${item}{${maxTimes}} ${repetition(item, Math.max(0, min - maxTimes), max - maxTimes)}`
  return min >= maxTimes ? long : `(${item}{${min},${maxTimes - 1}} | ${long})`
}

function character(points: CodePoints): string {
  const plain = without(points, notPlain)
  const escaped = escapes.filter(([point]) => contains(points, point)).map(([, text]) => text)
  const options: string[] = []
  if (plain.length > 0) options.push(`[${plain.map(range).join('')}]`)
  if (escaped.length > 0) options.push(`"\\\\" [${escaped.join('')}]`)
  // Only characters that JSON would have to spell in hexadecimal: an alternative that never matches.
  if (options.length === 0) return '[^\\U00000000-\\U0010FFFF]'
  return options.length === 1 ? (options[0] as string) : `(${options.join(' | ')})`
}

function range([from, to]: readonly [number, number]): string {
  return from === to ? point(from) : `${point(from)}-${point(to)}`
}

function point(codePoint: number): string {
  const character = String.fromCodePoint(codePoint)
  if (/^[A-Za-z0-9]$/.test(character)) return character
  return `\\U${codePoint.toString(16).toUpperCase().padStart(8, '0')}`
}
