import type { NativeTextPart } from '../../native-types.js'
import { Refusal } from './fault.js'

/** A piece of text, and whether the template's author wrote it. */
export type TextRun = NativeTextPart

/** Joins pieces of text: neighbours of one kind become one run, so that a special token is never cut. */
export class RunBuilder {
  readonly #runs: TextRun[] = []
  readonly #mostLength: number
  readonly #complaint: string
  #text = ''
  #isTrusted = true
  #length = 0

  /**
   * @param mostLength UTF-16 units
   * @param complaint why more is refused
   */
  constructor(mostLength: number, complaint: string) {
    this.#mostLength = mostLength
    this.#complaint = complaint
  }

  append(text: string, trusted: boolean): void {
    if (text === '') return
    this.#length += text.length
    if (this.#length > this.#mostLength) throw new Refusal(this.#complaint)
    if (trusted !== this.#isTrusted) this.#close()
    this.#isTrusted = trusted
    this.#text += text
  }

  appendRuns(runs: readonly TextRun[]): void {
    for (const { text, trusted } of runs) this.append(text, trusted)
  }

  /** All that was appended. */
  take(): readonly TextRun[] {
    this.#close()
    return this.#runs
  }

  #close(): void {
    if (this.#text !== '') this.#runs.push({ text: this.#text, trusted: this.#isTrusted })
    this.#text = ''
  }
}
