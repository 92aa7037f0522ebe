import { Refusal } from './fault.js'
import { floatValue, intValue, type GoValue } from './value.js'

const mostInt = 2n ** 63n - 1n
const leastInt = -(2n ** 63n)
const mostUint = 2n ** 64n - 1n

/**
 * The value of a number as it is written; undefined if it fits no `int`, which Go minds only when it is used.
 * Throws a {@link Refusal} if it is malformed.
 */
export function numberValue(text: string): GoValue | undefined {
  if (/^[1-9]\d{0,14}$/.test(text)) return intValue(Number(text), true)
  if (text.endsWith('i')) return { kind: 'complex', real: 0, imaginary: floatOf(text.slice(0, -1), text) }
  const integer = integerOf(text)
  const looksFloat = /[.eEpP]/.test(text) && !/^0[xX][^pP.]*$/.test(text)
  if (integer !== undefined && integer >= leastInt && integer <= mostUint) {
    return integer <= mostInt ? intValue(integer, true) : undefined
  }
  const value = floatOf(text, text)
  if (!looksFloat) throw new Refusal(`integer overflow: ${JSON.stringify(text)}`)
  return floatValue(value, true)
}

/** The value of `a+bi`. Throws a {@link Refusal} if it is malformed. */
export function complexValue(text: string): GoValue {
  const [, real = '', imaginary = ''] = /^(.*[^eEpP])([-+].*)i$/.exec(text) ?? []
  return { kind: 'complex', real: floatOf(real, text), imaginary: floatOf(imaginary, text) }
}

/** By the rules of Go's literals: a leading 0 is octal, underscores stand between digits or after a prefix. */
function integerOf(text: string): bigint | undefined {
  const [, sign, digits = ''] = /^([-+]?)(.*)$/.exec(text) ?? []
  // Reading thousands of digits takes long, and no integer has so many.
  if (digits.length > 100 || !hasRightUnderscores(digits)) return undefined
  const plain = digits.replaceAll('_', '')
  const literal = /^0[0-7]+$/.test(plain) ? `0o${plain.slice(1)}` : plain
  if (!/^(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0|[1-9][0-9]*)$/.test(literal)) return undefined
  const value = BigInt(literal)
  return sign === '-' ? -value : value
}

function floatOf(text: string, literal: string): number {
  const [, sign, digits = ''] = /^([-+]?)(.*)$/.exec(text) ?? []
  const value = hasRightUnderscores(digits) ? magnitude(digits.replaceAll('_', '')) : NaN
  if (!Number.isFinite(value)) throw new Refusal(`illegal number syntax: ${JSON.stringify(literal)}`)
  return sign === '-' ? -value : value
}

function magnitude(digits: string): number {
  if (/^(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(digits)) return Number(digits)
  const [, whole = '', fraction = '', exponent] =
    /^0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([-+]?\d+)$/.exec(digits) ?? []
  if (exponent === undefined || whole + fraction === '') return NaN
  return Number(BigInt(`0x${whole}${fraction}`)) * 2 ** (Number(exponent) - 4 * fraction.length)
}

/** Underscores stand between digits, or between the prefix of a base and a digit. */
function hasRightUnderscores(digits: string): boolean {
  if (!digits.includes('_')) return true
  return /^0[xX]/.test(digits)
    ? !/(?<![0-9a-fA-FxX])_|_(?![0-9a-fA-F])/.test(digits)
    : !/(?<![0-9bBoO])_|_(?![0-9])/.test(digits)
}
