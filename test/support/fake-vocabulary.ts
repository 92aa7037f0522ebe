import type { NativeTextPart } from '../../lib/native-types.js'

/** Bytes are tokens 0 to 255; four special tokens follow. */
export const bosToken = 256
export const eosToken = 257
const specialTexts = ['<s>', '</s>', '<|im_start|>', '<|im_end|>']
export const vocabularySize = 256 + specialTexts.length

export function tokenizeParts(parts: readonly NativeTextPart[]): number[] {
  return parts.flatMap(({ text, trusted }) => (trusted ? tokenizeTrusted(text) : [...Buffer.from(text)]))
}

function tokenizeTrusted(text: string): number[] {
  const pieces = text.split(/(<s>|<\/s>|<\|im_start\|>|<\|im_end\|>)/)
  return pieces.flatMap((piece) => {
    const special = specialTexts.indexOf(piece)
    return special < 0 ? [...Buffer.from(piece)] : [256 + special]
  })
}

export function pieceOf(token: number): Uint8Array {
  return token < 256 ? Uint8Array.of(token) : new Uint8Array(0)
}

export function textOf(tokens: Iterable<number>, renderSpecial: boolean): string {
  const pieces = [...tokens].map((token) =>
    token < 256 ? Buffer.of(token) : Buffer.from(renderSpecial ? (specialTexts[token - 256] ?? '') : ''),
  )
  return new TextDecoder().decode(Buffer.concat(pieces))
}
