import type { AnswerFormat } from '../chat/index.js'
import type { NativeChatAnswer } from '../native-types.js'

/** What an answer has more than before. */
export interface AnswerDelta {
  readonly reasoning: string
  readonly content: string
  readonly calls: readonly { readonly index: number; readonly name: string; readonly arguments: string }[]
}

// The whole text is read each time, so the longer that takes, the rarer it is done: it takes at most a fifth of a core.
const restPerWork = 4
const freeMs = 2

const empty: NativeChatAnswer = { content: '', reasoning: '', toolCalls: [] }

/** Takes a growing answer apart, beside the event loop, and tells what is new. */
export class AnswerParser {
  readonly #format: AnswerFormat
  readonly #onDelta: (delta: AnswerDelta) => void
  #text = ''
  #told = empty
  #reading: Promise<void> | undefined
  #ended = false
  #endRest: () => void = () => undefined

  constructor(format: AnswerFormat, onDelta: (delta: AnswerDelta) => void) {
    this.#format = format
    this.#onDelta = onDelta
  }

  /** What was told so far. */
  get told(): NativeChatAnswer {
    return this.#told
  }

  /** The text so far has grown to this. */
  update(text: string): void {
    this.#text = text
    // What fails here fails again at the end, where it is heard.
    this.#reading ??= this.#read().catch(() => undefined)
  }

  /** The answer, once all of it is told. A partial one was cut off. */
  async end(isPartial: boolean): Promise<NativeChatAnswer> {
    this.#ended = true
    this.#endRest()
    await this.#reading
    const answer = await this.#format.parse(this.#text, isPartial)
    this.#tell(answer)
    return answer
  }

  async #read(): Promise<void> {
    for (let read = ''; read !== this.#text && !this.#isEnding();) {
      read = this.#text
      const start = performance.now()
      const answer = await this.#format.parse(read, true)
      this.#tell(answer)
      const took = performance.now() - start
      if (took > freeMs && !this.#isEnding()) await this.#rest(took * restPerWork)
    }
    this.#reading = undefined
  }

  // A method, since what it tells changes while something is awaited.
  #isEnding(): boolean {
    return this.#ended
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#endRest = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #tell(answer: NativeChatAnswer): void {
    const before = this.#told
    const calls = answer.toolCalls.flatMap((call, index) => {
      const added = grown(before.toolCalls[index]?.arguments ?? '', call.arguments)
      const isNew = before.toolCalls[index] === undefined
      return isNew || added !== '' ? [{ index, name: call.name, arguments: added }] : []
    })
    const delta = {
      reasoning: grown(before.reasoning, answer.reasoning),
      content: grown(before.content, answer.content),
      calls,
    }
    this.#told = {
      reasoning: before.reasoning + delta.reasoning,
      content: before.content + delta.content,
      toolCalls: answer.toolCalls.length >= before.toolCalls.length ? answer.toolCalls : before.toolCalls,
    }
    if (delta.reasoning !== '' || delta.content !== '' || calls.length > 0) this.#onDelta(delta)
  }
}

/** What was said stays said: only what goes on from there counts. */
function grown(before: string, after: string): string {
  return after.startsWith(before) ? after.slice(before.length) : ''
}
