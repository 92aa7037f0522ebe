import type { Output } from './output.js'

const redrawEveryMs = 100
const spinnerFrames = Array.from('⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏')

/** The lines to show now; none is as wide as the terminal. */
export type Frame = (columns: number) => readonly string[]

/** The spinner's picture at this moment. */
export function spinner(now = Date.now()): string {
  return spinnerFrames[Math.floor(now / redrawEveryMs) % spinnerFrames.length] ?? ''
}

/**
 * Lines at the bottom of a terminal that are drawn anew ten times a second. The cursor stays visible and the terminal in
 * its usual mode, so that there is nothing to restore however the program ends.
 */
export class ProgressDisplay {
  readonly #output: Output
  readonly #frame: Frame
  readonly #timer: NodeJS.Timeout
  #drawnLines = 0

  constructor(output: Output, frame: Frame) {
    this.#output = output
    this.#frame = frame
    this.#timer = setInterval(() => this.#draw(), redrawEveryMs)
    this.#draw()
  }

  /** Ends with the lines as they are now. */
  keep(): void {
    clearInterval(this.#timer)
    this.#draw()
    if (this.#drawnLines > 0) this.#write('\n')
  }

  /** Ends without a trace. */
  clear(): void {
    clearInterval(this.#timer)
    if (this.#drawnLines > 0) this.#write(`${this.#toTop()}\u001b[J`)
  }

  #draw(): void {
    const lines = this.#frame(this.#output.columns).slice(1 - this.#output.rows)
    const text = lines.map((line) => `${line}\u001b[K`).join('\n')
    this.#write(`${this.#toTop()}${text}`)
    this.#drawnLines = lines.length
  }

  #toTop(): string {
    return this.#drawnLines > 1 ? `\r\u001b[${this.#drawnLines - 1}A` : '\r'
  }

  // A terminal that has gone away is noticed by the signal that comes with it.
  #write(text: string): void {
    this.#output.write(text).catch(() => undefined)
  }
}
