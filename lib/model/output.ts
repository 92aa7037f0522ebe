import type { NativeNews } from '../native-types.js'
import type { Logprobs, TokenLogprob } from './part.js'

/** Tokens that a part stands for. */
export interface PartTokens {
  readonly tokens: Int32Array
  readonly logprobs?: Logprobs
}

/** What one answer's tokens come to, before anything is told apart. */
export class RawOutput {
  text = ''
  readonly #runs: Int32Array[] = []
  /** Characters of the text after each run. */
  readonly #lengths: number[] = []
  #logprobs: (readonly TokenLogprob[])[] | undefined
  #takenRuns = 0
  #takenLogprobs = 0

  add({ text, tokens, logprobs }: NativeNews): void {
    this.text += text
    if (tokens.length > 0) {
      this.#runs.push(tokens)
      this.#lengths.push(this.text.length)
    }
    if (logprobs !== undefined) (this.#logprobs ??= []).push(...logprobs)
  }

  /** The tokens since the last time; those without text wait for the next text, so that no part is empty. */
  take(): PartTokens {
    const waiting = this.#runs.slice(this.#takenRuns)
    const tokens = waiting.length === 1 && waiting[0] !== undefined ? waiting[0] : concatenate(waiting)
    this.#takenRuns = this.#runs.length
    if (this.#logprobs === undefined) return { tokens }
    const logprobs = this.#logprobs.slice(this.#takenLogprobs)
    this.#takenLogprobs = this.#logprobs.length
    return { tokens, logprobs }
  }

  /** All tokens so far. */
  all(): PartTokens {
    const tokens = concatenate(this.#runs)
    return this.#logprobs === undefined ? { tokens } : { tokens, logprobs: this.#logprobs }
  }

  /** Tokens of the first so many characters, to the precision of what came at once. */
  tokensWithin(characters: number): number {
    let count = 0
    for (const [index, run] of this.#runs.entries()) {
      if ((this.#lengths[index - 1] ?? 0) >= characters) break
      count += run.length
    }
    return count
  }
}

function concatenate(runs: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(runs.reduce((sum, run) => sum + run.length, 0))
  let at = 0
  for (const run of runs) {
    all.set(run, at)
    at += run.length
  }
  return all
}
