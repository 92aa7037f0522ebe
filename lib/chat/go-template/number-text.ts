import { floatText, type FloatFormat } from './float-text.js'
import { quote } from './quote.js'
import { padded, type Verb } from './verb.js'

/** An integer as a verb wants it; undefined for a verb that is not for integers. */
export function integerText(value: bigint, verb: Verb, isUnsigned: boolean): string | undefined {
  switch (verb.letter) {
    case 'v':
      return verb.syntax && isUnsigned ? based(value, { ...verb, sharp: true }, 16) : based(value, verb, 10)
    case 'd':
      return based(value, verb, 10)
    case 'b':
      return based(value, verb, 2)
    case 'o':
    case 'O':
      return based(value, verb, 8)
    case 'x':
      return based(value, verb, 16)
    case 'X':
      return based(value, verb, 16).toUpperCase()
    case 'c':
      return padded(character(value), verb)
    case 'q':
      return padded(quote(character(value), "'", verb.plus), verb)
    case 'U':
      return unicode(value, verb)
    default:
      return undefined
  }
}

function based(value: bigint, verb: Verb, base: number): string {
  const { letter, plus, space, sharp, zero, minus, width, precision } = verb
  if (precision === 0 && value === 0n) return padded('', { ...verb, zero: false })
  const isNegative = value < 0n
  const digits = (isNegative ? -value : value).toString(base)
  const hasSign = isNegative || plus || space
  let least = precision ?? 0
  if (precision === undefined && zero && !minus && width !== undefined) least = width - (hasSign ? 1 : 0)
  let text = digits.padStart(least, '0')
  if (sharp && base === 2) text = `0b${text}`
  if (sharp && base === 8 && !text.startsWith('0')) text = `0${text}`
  if (sharp && base === 16) text = `0x${text}`
  if (letter === 'O') text = `0o${text}`
  const sign = isNegative ? '-' : plus ? '+' : space ? ' ' : ''
  return padded(sign + text, { ...verb, zero: false })
}

/** A code point, or U+FFFD for what is none. */
function character(value: bigint): string {
  const isCharacter = value >= 0n && value <= 0x10ffffn && (value < 0xd800n || value > 0xdfffn)
  return isCharacter ? String.fromCodePoint(Number(value)) : '\uFFFD'
}

function unicode(value: bigint, verb: Verb): string {
  const { precision = 4, sharp } = verb
  const code = BigInt.asUintN(64, value).toString(16).toUpperCase().padStart(Math.max(precision, 4), '0')
  const shown = sharp && value >= 0n && value <= 0x10ffffn ? ` ${quotedIfPrintable(value)}` : ''
  return padded(`U+${code}${shown}`.trimEnd(), { ...verb, zero: false })
}

function quotedIfPrintable(value: bigint): string {
  const text = character(value)
  return quote(text, "'", false) === `'${text}'` || text === "'" || text === '\\' ? `'${text}'` : ''
}

const floatFormats: ReadonlySet<string> = new Set<FloatFormat>(['b', 'e', 'E', 'f', 'F', 'g', 'G', 'x', 'X'])

/** A float as a verb wants it; undefined for a verb that is not for floats. */
export function floatVerbText(value: number, verb: Verb): string | undefined {
  const letter = verb.letter === 'v' ? 'g' : verb.letter
  if (!floatFormats.has(letter)) return undefined
  const format = letter as FloatFormat
  const precision = verb.precision ?? (/[efEF]/.test(letter) ? 6 : -1)
  const text = floatText(value, format, precision)
  const signed = /^[-+]/.test(text) ? text : `+${text}`
  const spaced = verb.space && signed.startsWith('+') && !verb.plus ? ` ${signed.slice(1)}` : signed
  if (/^.(Inf|NaN)/.test(spaced)) {
    const bare = /NaN/.test(spaced) && !verb.space && !verb.plus ? spaced.slice(1) : spaced
    const shown = bare.startsWith('+') && !verb.plus ? bare : bare
    return padded(shown, { ...verb, zero: false })
  }
  return withSign(verb.sharp && letter !== 'b' ? withPoint(spaced, verb, letter) : spaced, verb)
}

function withSign(text: string, verb: Verb): string {
  const { plus, zero, minus, width = 0 } = verb
  if (!plus && text.startsWith('+')) return padded(text.slice(1), verb)
  if (zero && !minus && width > text.length) return text.slice(0, 1) + text.slice(1).padStart(width - 1, '0')
  return padded(text, verb)
}

/** `#` keeps the point, and of `g` the zeros up to the precision. */
function withPoint(text: string, verb: Verb, letter: string): string {
  const [, body = '', tail = ''] = (/[xX]/.test(letter) ? /^(.[^pP]*)(.*)$/ : /^(.[^eE]*)(.*)$/).exec(text) ?? []
  let digits = /[gGx]/.test(letter) ? (verb.precision ?? 6) : 0
  let hasNonZero = false
  for (const unit of body.slice(1)) {
    if (unit === '.') continue
    if (unit !== '0') hasNonZero = true
    if (hasNonZero) digits -= 1
  }
  const hasPoint = body.includes('.')
  if (!hasPoint && body.length === 2 && body.endsWith('0')) digits -= 1
  return body + (hasPoint ? '' : '.') + '0'.repeat(Math.max(digits, 0)) + tail
}
