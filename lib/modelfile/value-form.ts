const space = 0x20
const tab = 0x09
const lineFeed = 0x0a
const carriageReturn = 0x0d

/** A value and the offset behind all that it is written with. */
interface ReadValue {
  readonly value: string
  readonly end: number
}

/**
 * Reads the value that begins at an offset: to the end of the line, or in `"` or `"""` over lines up to a closing quote
 * that is the last of its line but for blanks. No character escapes another. Undefined if the quote is never closed.
 */
export function readValue(text: string, at: number): ReadValue | undefined {
  const start = skipBlanks(text, at)
  const quote = ['"""', '"'].find((mark) => text.startsWith(mark, start)) ?? ''
  const inner = start + quote.length
  for (let end = endOfLine(text, inner); ; end = endOfLine(text, end + 1)) {
    let close = end
    while (close > inner && isBlank(text, close - 1)) close -= 1
    close -= quote.length
    if (close >= inner && text.startsWith(quote, close)) return { value: text.slice(inner, close), end }
    if (end >= text.length) return undefined
  }
}

/**
 * Reads the here-document whose `<<` stands at an offset, a form of llamero's own: the value is all lines up to one that
 * is the word behind `<<` and nothing else. Undefined if there is no word or no such line.
 */
export function readHereDocument(text: string, at: number): ReadValue | undefined {
  const opening = /<<(\w+)[ \t]*(\r\n?|\n)/y
  opening.lastIndex = at
  const [, word = '', lineEnd = ''] = opening.exec(text) ?? []
  if (word === '') return undefined
  const start = opening.lastIndex
  const closing = lineEnd + word
  // Without any line the closing one begins with the end of the opening one.
  for (let from = text.indexOf(closing, start - lineEnd.length); from >= 0; from = text.indexOf(closing, from + 1)) {
    const end = from + closing.length
    if (end === text.length || isLineEnd(text, end)) return { value: text.slice(start, from), end }
  }
  return undefined
}

/**
 * A value with what must stand before it: a blank and the plain text where that reads back as it is, else in quotes as
 * Ollama chooses them, else (text that has `"""` at the end of a line) as a here-document.
 */
export function writeValue(value: string): string {
  const quotes = value.includes('"') ? ['', '"""'] : value === '' ? ['"'] : ['', '"']
  for (const quote of quotes) {
    const written = quote + value + quote
    const read = readValue(`${written}\n`, 0)
    if (read?.value === value && read.end === written.length) return ` ${written}`
  }
  const word = closingWord(value)
  return `<<${word}\n${value}\n${word}`
}

/** A word that no line of the text begins with. */
function closingWord(text: string): string {
  let underscores = -1
  for (const [, tail = ''] of text.matchAll(/(?:^|\n)END(_*)/g)) underscores = Math.max(underscores, tail.length)
  return `END${'_'.repeat(underscores + 1)}`
}

/** The offset of the next character that is no space or tab. */
export function skipBlanks(text: string, at: number): number {
  let end = at
  while (isBlank(text, end)) end += 1
  return end
}

/** The offset where the line ends. */
export function endOfLine(text: string, at: number): number {
  let end = at
  while (end < text.length && !isLineEnd(text, end)) end += 1
  return end
}

/** Whether a space or tab stands at an offset. */
export function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code === space || code === tab
}

/** Whether a CR or LF stands at an offset. */
export function isLineEnd(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code === lineFeed || code === carriageReturn
}
