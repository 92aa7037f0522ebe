import type { Output } from './output.js'

const grey = '\u001b[90m'
const plain = '\u001b[0m'

/** Sets what a model thinks apart from what it says, as Ollama does: in grey on a terminal. */
export class ThinkingMarks {
  readonly #stdout: Output
  #isOpen = false

  constructor(stdout: Output) {
    this.#stdout = stdout
  }

  async write(text: string): Promise<void> {
    const colour = this.#stdout.isTerminal ? grey : ''
    if (!this.#isOpen) await this.#stdout.write(`${colour}Thinking...\n`)
    this.#isOpen = true
    await this.#stdout.write(text)
  }

  /** The thinking is over, if there was any. */
  async end(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#stdout.write(`\n...done thinking.\n\n${this.#stdout.isTerminal ? plain : ''}`)
  }
}
