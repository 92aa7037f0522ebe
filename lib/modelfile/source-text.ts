import { LlameroError } from '../errors.js'
import { invalidModelfile } from './fault.js'
import type { Position } from './instruction.js'
import { endOfLine } from './value-form.js'

/** Limits on a Modelfile. */
export const modelfileLimits = { bytes: 8 * 1024 * 1024, instructions: 65_536 } as const

/**
 * The text of a Modelfile: UTF-8, or what a byte order mark says. Ollama replaces what is no text; here it is refused,
 * so that nothing is lost in silence.
 */
export function sourceText(source: string | Uint8Array): string {
  const isText = typeof source === 'string'
  if (!isText && !(source instanceof Uint8Array)) {
    throw new LlameroError('ERR_OPTION_INVALID', 'A Modelfile must be a string or a Uint8Array.')
  }
  // No text takes fewer bytes than it has UTF-16 units.
  if (source.length > modelfileLimits.bytes || (isText && Buffer.byteLength(source) > modelfileLimits.bytes)) {
    throw invalidModelfile(`a Modelfile may have up to ${modelfileLimits.bytes} bytes; this one is longer`)
  }
  const text = isText ? source.replace(/^\uFEFF/, '') : decode(source)
  checkText(text)
  return text
}

/** Throws unless the text can be written to a file and read back. */
export function checkText(text: string): void {
  const bad = /\0|\p{Surrogate}/u.exec(text)
  if (bad === null) return
  const position = positionsIn(text)(bad.index)
  if (bad[0] !== '\0') throw invalidModelfile('there is half of a surrogate pair, which is no character', position)
  const advice = 'save it as UTF-8, or as UTF-16 with a byte order mark'
  throw invalidModelfile(`there is a NUL character, so this is no text or UTF-16 without a mark; ${advice}`, position)
}

/** Says where offsets of a text lie; from one call to the next they must not decrease. */
export function positionsIn(text: string): (offset: number) => Position {
  let line = 1
  let start = 0
  let end = endOfLine(text, 0)
  return (offset) => {
    for (let next = nextLine(text, end); end < text.length && next <= offset; next = nextLine(text, end)) {
      line += 1
      start = next
      end = endOfLine(text, next)
    }
    // Of a pair of surrogates one counts.
    return { line, column: 1 + text.slice(start, offset).replace(/[\uDC00-\uDFFF]/g, '').length }
  }
}

/** Where the line after one that ends at an offset begins. */
function nextLine(text: string, end: number): number {
  return end + (text.startsWith('\r\n', end) ? 2 : 1)
}

function decode(bytes: Uint8Array): string {
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe) return decodeUtf16(Buffer.from(bytes.subarray(2)))
  if (first === 0xfe && second === 0xff) return decodeUtf16(Buffer.from(bytes.subarray(2)), true)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalidModelfile('the file is not UTF-8 from here on; save it as UTF-8', endOfUtf8(bytes))
  }
}

/** Where bytes stop being UTF-8. */
function endOfUtf8(bytes: Uint8Array): Position {
  const readable = new TextEncoder().encode(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes))
  const end = bytes.findIndex((byte, index) => byte !== readable[index])
  // A character that the end cuts off is held back: its beginning is the place.
  const before = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end), { stream: true })
  return positionsIn(before)(before.length)
}

/** Takes a copy, whose bytes it may swap. */
function decodeUtf16(bytes: Buffer, isBigEndian = false): string {
  if (bytes.length % 2 !== 0) throw invalidModelfile('the file is UTF-16 and ends within a character')
  return (isBigEndian ? bytes.swap16() : bytes).toString('utf16le')
}
