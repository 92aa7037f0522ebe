const simple: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['v', 11],
  ['\\', 92],
])

/** Characters and bytes of a quoted literal. */
interface Unit {
  /** A code point, or a byte of UTF-8 where it was written as `\x` or octal. */
  readonly code: number
  readonly isByte: boolean
  readonly length: number
}

/**
 * The text behind a literal in double quotes, by Go's rules; bytes that are no UTF-8 become U+FFFD. Undefined if it is
 * malformed.
 */
export function unquoteString(literal: string): string | undefined {
  const end = literal.length - 1
  const pieces: (string | number)[] = []
  for (let at = 1; at < end;) {
    const unit = readUnit(literal, at, '"')
    if (unit === undefined || at + unit.length > end) return undefined
    pieces.push(unit.isByte ? unit.code : String.fromCodePoint(unit.code))
    at += unit.length
  }
  if (pieces.every((piece) => typeof piece === 'string')) return pieces.join('')
  return Buffer.concat(
    pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : Buffer.of(piece))),
  ).toString()
}

/** The code of a literal in single quotes; undefined if it is malformed. */
export function unquoteCharacter(literal: string): number | undefined {
  const unit = readUnit(literal, 1, "'")
  return unit !== undefined && literal.length === unit.length + 2 ? unit.code : undefined
}

function readUnit(literal: string, at: number, quote: string): Unit | undefined {
  const first = literal.codePointAt(at)
  if (first === undefined || literal[at] === quote) return undefined
  if (literal[at] !== '\\') return { code: first, isByte: false, length: first > 0xffff ? 2 : 1 }
  const letter = literal[at + 1] ?? ''
  const known = letter === quote ? quote.charCodeAt(0) : simple.get(letter)
  if (known !== undefined) return { code: known, isByte: false, length: 2 }
  return readCode(literal, at)
}

/** `\ooo`, `\xhh`, `\uhhhh` or `\Uhhhhhhhh`. */
function readCode(literal: string, at: number): Unit | undefined {
  const pattern = /\\(?:([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y
  pattern.lastIndex = at
  const match = pattern.exec(literal)
  if (match === null) return undefined
  const [whole, octal, byte, short, long] = match
  const isByte = octal !== undefined || byte !== undefined
  const code = octal === undefined ? parseInt(byte ?? short ?? long ?? '', 16) : parseInt(octal, 8)
  const isRight = isByte ? code <= 255 : code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
  return isRight ? { code, isByte, length: whole.length } : undefined
}
