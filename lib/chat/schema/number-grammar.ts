/** Bounds of a number, as JSON Schema has them. */
export interface NumberBounds {
  readonly min: number
  readonly max: number
  readonly minExcluded: boolean
  readonly maxExcluded: boolean
  /** Most digits behind the point; 0: whole numbers. */
  readonly decimals: number
}

/** Behind the point, where nothing else bounds them. */
export const mostDecimals = 10
/** So many digits a number of JavaScript holds exactly. */
const mostDigits = 15
const tooLarge = 10 ** mostDigits

/**
 * A GBNF expression for JSON numbers within bounds, without exponents; `undefined` if there is none, or if the bounds
 * are too fine to be written out.
 */
export function numberGrammar(bounds: NumberBounds): string | undefined {
  const [min, minExcluded] = bounds.min > -tooLarge ? [bounds.min, bounds.minExcluded] : [-tooLarge, true]
  const [max, maxExcluded] = bounds.max < tooLarge ? [bounds.max, bounds.maxExcluded] : [tooLarge, true]
  const options = [
    ...positive({ ...bounds, min: Math.max(min, 0), max, minExcluded: minExcluded && min >= 0, maxExcluded }),
    ...positive({
      ...bounds,
      min: Math.max(-max, 0),
      max: -min,
      // Zero is written without a sign.
      minExcluded: max >= 0 || maxExcluded,
      maxExcluded: minExcluded,
    }).map((option) => `"-" ${option}`),
  ]
  return options.length === 0 ? undefined : `(${options.join(' | ')})`
}

interface Decimal {
  readonly whole: bigint
  /** Digits behind the point, without zeros at the end. */
  readonly fraction: string
}

function decimalOf(value: number): Decimal | undefined {
  const text = /^(\d+)(?:\.(\d+))?$/.exec(String(value))
  if (text === null) return undefined
  const fraction = text[2] ?? ''
  return fraction.length > mostDigits ? undefined : { whole: BigInt(text[1] ?? ''), fraction }
}

/** The ways to write numbers from `min` ≥ 0 on. */
function positive({ min, max, minExcluded, maxExcluded, decimals }: NumberBounds): string[] {
  if (min > max) return []
  const [low, high] = [decimalOf(min), decimalOf(max)]
  if (low === undefined || high === undefined) return []
  if (decimals === 0) {
    const from = low.whole + (low.fraction !== '' || minExcluded ? 1n : 0n)
    const to = high.whole - (high.fraction === '' && maxExcluded ? 1n : 0n)
    return wholeNumbers(from, to)
  }
  if (low.whole === high.whole) {
    return behind(low.whole, fractionBetween(low.fraction, minExcluded, high.fraction, maxExcluded, decimals))
  }
  const free = `("." ${digits(1, decimals)})?`
  return [
    ...behind(low.whole, fractionFrom(low.fraction, minExcluded, decimals)),
    ...wholeNumbers(low.whole + 1n, high.whole - 1n).map((whole) => `${whole} ${free}`),
    ...behind(high.whole, fractionTo(high.fraction, maxExcluded, decimals)),
  ]
}

function behind(whole: bigint, fractions: Fractions): string[] {
  const options = fractions.more.map((more) => `"." ${more}`)
  if (options.length === 0) return fractions.none ? [literal(String(whole))] : []
  return [`${literal(String(whole))} (${options.join(' | ')})${fractions.none ? '?' : ''}`]
}

/** Digits behind a point: the ways to write some, and whether there may be none. */
interface Fractions {
  readonly none: boolean
  readonly more: readonly string[]
}

function fractionFrom(low: string, excluded: boolean, room: number): Fractions {
  if (room === 0) return { none: low === '' && !excluded, more: [] }
  if (low === '') {
    if (!excluded) return { none: true, more: [digits(1, room)] }
    // A first digit that is not zero, behind any number of zeros.
    const more = Array.from(
      { length: room },
      (_, zeros) => `"${'0'.repeat(zeros)}" [1-9] ${digits(0, room - 1 - zeros)}`,
    )
    return { none: false, more }
  }
  const first = Number(low[0])
  const rest = fractionFrom(low.slice(1), excluded, room - 1)
  return { none: false, more: [...above(first, 9, room), ...then(first, rest)] }
}

function fractionTo(high: string, excluded: boolean, room: number): Fractions {
  if (high === '')
    return excluded || room === 0 ? { none: !excluded, more: [] } : { none: true, more: [digits(1, room, '"0"')] }
  if (room === 0) return { none: true, more: [] }
  const first = Number(high[0])
  const rest = fractionTo(high.slice(1), excluded, room - 1)
  return { none: true, more: [...above(-1, first - 1, room), ...then(first, rest)] }
}

function fractionBetween(low: string, lowOut: boolean, high: string, highOut: boolean, room: number): Fractions {
  const [from, to] = [Number(low[0] ?? 0), Number(high[0] ?? 0)]
  const none = low === '' && !lowOut && (high !== '' || !highOut)
  if (room === 0 || (low === '' && high === '')) {
    return { none, more: none && room > 0 ? [digits(1, room, '"0"')] : [] }
  }
  if (from === to) {
    const rest = fractionBetween(low.slice(1), lowOut, high.slice(1), highOut, room - 1)
    return { none, more: then(from, rest) }
  }
  return {
    none,
    more: [
      ...then(from, fractionFrom(low.slice(1), lowOut, room - 1)),
      ...above(from, to - 1, room),
      ...then(to, fractionTo(high.slice(1), highOut, room - 1)),
    ],
  }
}

/** A digit larger than `digit`, up to `last`, and anything behind it. */
function above(digit: number, last: number, room: number): string[] {
  return digit + 1 > last ? [] : [`[${digit + 1}-${last}] ${digits(0, room - 1)}`]
}

function then(digit: number, { none, more }: Fractions): string[] {
  if (more.length === 0) return none ? [literal(String(digit))] : []
  return [`${literal(String(digit))} (${more.join(' | ')})${none ? '?' : ''}`]
}

/** The ways to write whole numbers from `from` to `to`, both at least 0. */
function wholeNumbers(from: bigint, to: bigint): string[] {
  const options: string[] = []
  for (let low = from; low <= to;) {
    const length = String(low).length
    const isFirst = low === 10n ** BigInt(length - 1)
    // All numbers of so many digits, and of as many more as there are all numbers of.
    let most = length
    while (isFirst && 10n ** BigInt(most + 1) - 1n <= to) most++
    const end = 10n ** BigInt(most) - 1n
    const high = end < to ? end : to
    const isWhole = isFirst && high === end
    options.push(isWhole ? `[1-9] ${digits(length - 1, most - 1)}` : sameLength(String(low), String(high)))
    low = high + 1n
  }
  return options
}

function sameLength(low: string, high: string): string {
  if (low === high) return literal(low)
  const [from, to] = [Number(low[0]), Number(high[0])]
  const rest = low.length - 1
  if (rest === 0) return `[${from}-${to}]`
  if (from === to) return `${literal(low.charAt(0))} ${sameLength(low.slice(1), high.slice(1))}`
  const [zeros, nines] = ['0'.repeat(rest), '9'.repeat(rest)]
  const [opens, closes] = [low.slice(1) === zeros, high.slice(1) === nines]
  const options: string[] = []
  if (!opens) options.push(`"${from}" ${sameLength(low.slice(1), nines)}`)
  const [first, last] = [opens ? from : from + 1, closes ? to : to - 1]
  if (first <= last) options.push(`[${first}-${last}] ${digits(rest, rest)}`)
  if (!closes) options.push(`"${to}" ${sameLength(zeros, high.slice(1))}`)
  return options.length === 1 ? (options[0] as string) : `(${options.join(' | ')})`
}

function digits(min: number, max: number, digit = '[0-9]'): string {
  return max === 0 ? '""' : `${digit}{${min},${max}}`
}

function literal(text: string): string {
  return `"${text}"`
}
