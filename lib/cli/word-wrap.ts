import { displayWidth, graphemes, isWide } from './display-width.js'

const margin = 5
const narrowest = 10
const tabStop = 8

/**
 * Breaks the lines of a text that comes in pieces before the word that would not fit. Words are shown as they come, so
 * one that grows too long is taken back from the screen and begins the next line.
 */
export class WordWrap {
  readonly #columns: () => number
  /** Cells used in the current line. */
  #column = 0
  /** The word at the end of the line, and its cells. */
  #word = ''
  #wordWidth = 0

  /** @param columns the width of the terminal, which may change */
  constructor(columns: () => number) {
    this.#columns = columns
  }

  /** What to write so that the next piece appears. */
  push(text: string): string {
    const columns = this.#columns()
    if (columns < narrowest) return text
    return graphemes(text)
      .map((grapheme) => this.#place(grapheme, columns - margin))
      .join('')
  }

  #place(grapheme: string, limit: number): string {
    if (grapheme === '\n') return this.#newLine()
    if (grapheme === ' ' || grapheme === '\t') return this.#space(grapheme, limit)
    const width = displayWidth(grapheme)
    if (this.#column + width <= limit) return this.#put(grapheme, width)
    if (isWide(grapheme) || this.#wordWidth === 0 || this.#wordWidth === this.#column) {
      return this.#newLine() + this.#put(grapheme, width)
    }
    const [word, wordWidth] = [this.#word, this.#wordWidth]
    const takeBack = `\u001b[${wordWidth}D\u001b[K`
    return takeBack + this.#newLine() + this.#put(word, wordWidth) + this.#put(grapheme, width)
  }

  #put(text: string, width: number): string {
    this.#column += width
    if (isWide(text)) this.#endWord()
    else {
      this.#word += text
      this.#wordWidth += width
    }
    return text
  }

  #space(grapheme: string, limit: number): string {
    this.#endWord()
    if (this.#column >= limit) return this.#newLine()
    this.#column = grapheme === '\t' ? (Math.floor(this.#column / tabStop) + 1) * tabStop : this.#column + 1
    return grapheme
  }

  #newLine(): string {
    this.#column = 0
    this.#endWord()
    return '\n'
  }

  #endWord(): void {
    this.#word = ''
    this.#wordWidth = 0
  }
}
