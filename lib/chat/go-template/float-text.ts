import { exactDecimal, parts, rounded, shortestDecimal, type Decimal } from './decimal.js'

/** Formats of Go's `strconv.FormatFloat`. */
export type FloatFormat = 'b' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'x' | 'X'

/**
 * A number as Go's `strconv.FormatFloat` writes it.
 *
 * @param precision digits behind the point, of `g` all digits; -1 for as few as name the number
 */
export function floatText(value: number, format: FloatFormat, precision: number): string {
  if (Number.isNaN(value)) return 'NaN'
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const size = Math.abs(value)
  if (size === Number.POSITIVE_INFINITY) return sign === '' ? '+Inf' : '-Inf'
  switch (format) {
    case 'b':
      return sign + binaryText(size)
    case 'x':
    case 'X': {
      const text = sign + hexText(size, precision)
      return format === 'X' ? text.toUpperCase() : text
    }
    case 'f':
    case 'F':
      return sign + fixedText(size, precision)
    case 'e':
    case 'E':
      return sign + scientificText(size, precision, format)
    case 'g':
    case 'G':
      return sign + generalText(size, precision, format === 'g' ? 'e' : 'E')
    default:
      return format satisfies never
  }
}

function fixedText(value: number, precision: number): string {
  const decimal = precision < 0 ? shortestDecimal(value) : rounding(value, (point) => point + precision)
  const { digits, point } = decimal
  const places = precision < 0 ? Math.max(digits.length - point, 0) : precision
  const padded = '0'.repeat(Math.max(-point, 0)) + digits
  const at = Math.max(point, 0)
  const whole = padded.slice(0, at).padEnd(at, '0') || '0'
  return places === 0 ? whole : `${whole}.${padded.slice(at, at + places).padEnd(places, '0')}`
}

function scientificText(value: number, precision: number, letter: 'e' | 'E'): string {
  const decimal = precision < 0 ? shortestDecimal(value) : rounding(value, () => precision + 1)
  return scientific(decimal, precision < 0 ? Math.max(decimal.digits.length - 1, 0) : precision, letter)
}

function scientific({ digits, point }: Decimal, places: number, letter: string): string {
  const exponent = digits === '' ? 0 : point - 1
  const fraction = digits.slice(1, places + 1).padEnd(places, '0')
  const power = String(Math.abs(exponent)).padStart(2, '0')
  return `${digits[0] ?? '0'}${places > 0 ? '.' : ''}${fraction}${letter}${exponent < 0 ? '-' : '+'}${power}`
}

function generalText(value: number, precision: number, letter: 'e' | 'E'): string {
  const count = precision === 0 ? 1 : precision
  const decimal = precision < 0 ? shortestDecimal(value) : rounding(value, () => count)
  const { digits, point } = decimal
  const isWhole = digits.length >= point
  const limit = precision < 0 ? 6 : count > digits.length && isWhole ? digits.length : count
  const exponent = point - 1
  if (exponent < -4 || exponent >= limit) return scientific(decimal, Math.max(digits.length - 1, 0), letter)
  const places = Math.max(digits.length - point, 0)
  const padded = '0'.repeat(Math.max(-point, 0)) + digits
  const at = Math.max(point, 0)
  const whole = padded.slice(0, at).padEnd(at, '0') || '0'
  return digits === '' || places === 0 ? whole : `${whole}.${padded.slice(at)}`
}

/** The exact number, rounded to the digits that its own size asks for. */
function rounding(value: number, count: (point: number) => number): Decimal {
  const exact = exactDecimal(value)
  return rounded(exact, count(exact.point))
}

function binaryText(value: number): string {
  const { mantissa, exponent } = parts(value)
  return `${mantissa}p${exponent < 0 ? '' : '+'}${exponent}`
}

function hexText(value: number, precision: number): string {
  if (value === 0) return `0x0${precision > 0 ? `.${'0'.repeat(precision)}` : ''}p+00`
  let { mantissa, exponent } = parts(value)
  while (mantissa < 1n << 52n) {
    mantissa <<= 1n
    exponent -= 1
  }
  if (precision >= 0 && precision < 13) {
    const shift = BigInt(52 - 4 * precision)
    const rest = mantissa & ((1n << shift) - 1n)
    const half = 1n << (shift - 1n)
    mantissa >>= shift
    if (rest > half || (rest === half && (mantissa & 1n) === 1n)) mantissa += 1n
    mantissa <<= shift
    if (mantissa >> 53n === 1n) {
      mantissa >>= 1n
      exponent += 1
    }
  }
  const fraction = (mantissa & ((1n << 52n) - 1n)).toString(16).padStart(13, '0')
  const shown = precision < 0 ? fraction.replace(/0+$/, '') : fraction.slice(0, precision).padEnd(precision, '0')
  const power = exponent + 52
  return `0x1${shown === '' ? '' : `.${shown}`}p${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}
