/** A number as decimal digits: `0.d₁d₂… × 10^point`, without zeros at either end; none for zero. */
export interface Decimal {
  readonly digits: string
  readonly point: number
}

/** The fewest digits that name this number and no other. */
export function shortestDecimal(value: number): Decimal {
  const [, whole = '', fraction = '', exponent = '0'] = /^(\d)(?:\.(\d+))?e([-+]\d+)$/.exec(value.toExponential()) ?? []
  return trimmed(whole + fraction, Number(exponent) + 1)
}

/** All digits of a number: every double is a finite decimal fraction. */
export function exactDecimal(value: number): Decimal {
  if (value === 0) return { digits: '', point: 0 }
  const { mantissa, exponent } = parts(value)
  if (exponent >= 0) {
    const digits = (mantissa << BigInt(exponent)).toString()
    return trimmed(digits, digits.length)
  }
  // m / 2^k = m × 5^k / 10^k.
  const digits = (mantissa * 5n ** BigInt(-exponent)).toString()
  return trimmed(digits, digits.length + exponent)
}

/** Cut to so many digits, the nearest; halves go to the even digit. */
export function rounded({ digits, point }: Decimal, count: number): Decimal {
  if (count >= digits.length) return { digits, point }
  if (count < 0) return { digits: '', point: 0 }
  const kept = digits.slice(0, count)
  const rest = digits.slice(count)
  const isOdd = Number(kept.at(-1) ?? '0') % 2 === 1
  const goesUp = rest.startsWith('5') && rest.length === 1 ? isOdd : rest >= '5'
  if (!goesUp) return trimmed(kept, point)
  const raised = kept === '' ? '1' : (BigInt(kept) + 1n).toString()
  // 999 becomes 1000; zeros in front do not occur.
  return trimmed(raised, point + (kept === '' ? 1 : raised.length - kept.length))
}

/** Mantissa and exponent of a positive finite double: `mantissa × 2^exponent`. */
export function parts(value: number): { readonly mantissa: bigint; readonly exponent: number } {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  const bits = view.getBigUint64(0)
  const biased = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & 0xfffffffffffffn
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | 0x10000000000000n, exponent: biased - 1075 }
}

function trimmed(digits: string, point: number): Decimal {
  const first = digits.search(/[1-9]/)
  if (first < 0) return { digits: '', point: 0 }
  return { digits: digits.slice(first).replace(/0+$/, ''), point: point - first }
}
