const names: ReadonlyMap<string, string> = new Map([
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
  ['\\', '\\\\'],
])

/** Go's idea of what can be shown: letters, marks, numbers, punctuation, symbols and the space of ASCII. */
export function isPrintable(character: string): boolean {
  // Of ASCII all but the controls, without a search.
  const code = character.charCodeAt(0)
  if (code < 0x7f) return code >= 0x20
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character)
}

/** Whether a text can stand between backquotes. */
export function canBackquote(text: string): boolean {
  return !/[\0-\x08\x0a-\x1f`\x7f\ufeff\uFFFD]/.test(text)
}

/** A text or character as a literal of Go. @param ascii whether everything beyond ASCII is written as a code */
export function quote(text: string, mark: '"' | "'", ascii: boolean): string {
  const pieces = [mark as string]
  for (const character of text) pieces.push(escaped(character, mark, ascii))
  pieces.push(mark)
  return pieces.join('')
}

function escaped(character: string, mark: string, ascii: boolean): string {
  if (character === mark) return `\\${mark}`
  const name = names.get(character)
  if (name !== undefined) return name
  const code = character.codePointAt(0) ?? 0
  if (isPrintable(character) && (!ascii || code < 0x80)) return character
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`
  return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`
}

function hex(code: number, length: number): string {
  return code.toString(16).padStart(length, '0')
}
