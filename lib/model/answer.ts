import { type AnswerFormat, type Message, newCallId, parseObject, type ToolCall } from '../chat/index.js'
import type { NativeChatAnswer, NativeNews, NativeToolCall } from '../native-types.js'
import { type AnswerDelta, AnswerParser } from './answer-parser.js'
import { type PartTokens, RawOutput } from './output.js'
import type { Part } from './part.js'

/** What one step came to. */
export interface StepAnswer extends PartTokens {
  readonly text: string
  readonly reasoning: string
  readonly toolCalls: readonly ToolCall[]
  readonly message: Message
  readonly reasoningTokens: number
  /** All of its text, before anything was told apart. */
  readonly raw: string
}

const nothing = new Int32Array()

// As many as a message may have; a model that loses itself repeats its call without end.
const mostCalls = 128

/** The answer of one step, from its tokens to the parts that readers see. */
export class Answer {
  readonly #output = new RawOutput()
  readonly #parser: AnswerParser | undefined
  readonly #tell: (part: Part) => void
  #parsed: NativeChatAnswer | undefined
  #calls: readonly ToolCall[] = []

  constructor(format: AnswerFormat | undefined, tell: (part: Part) => void) {
    this.#tell = tell
    if (format !== undefined) this.#parser = new AnswerParser(format, (delta) => this.#tellDelta(delta))
  }

  add(news: NativeNews): void {
    this.#output.add(news)
    if (news.text === '') return
    if (this.#parser === undefined) this.#tell({ type: 'text', text: news.text, ...this.#output.take() })
    else this.#parser.update(this.#output.text)
  }

  /** Tells what is left to be told. An answer that is not whole was cut off. */
  async end(isWhole: boolean): Promise<StepAnswer> {
    if (this.#parser !== undefined) {
      this.#parsed = await this.#parser.end(!isWhole)
      const { toolCalls, content } = this.#parsed
      this.#calls = toolCalls.slice(0, mostCalls).flatMap((call) => complete(call) ?? [])
      for (const call of this.#calls) this.#tell({ type: 'tool-call', ...call })
      // A call that nobody could answer is still what the model said.
      const isLost = isWhole && this.#calls.length < Math.min(toolCalls.length, mostCalls) && content === ''
      if (isLost) this.#parsed = { ...this.#parsed, content: this.#output.text }
    }
    return this.soFar()
  }

  /** What there is, also of an answer that has not ended. */
  soFar(): StepAnswer {
    const raw = this.#output.text
    const { content: text, reasoning } = this.#parsed ?? this.#parser?.told ?? { content: raw, reasoning: '' }
    const toolCalls = this.#calls
    const message = {
      role: 'assistant' as const,
      content: text,
      ...(reasoning !== '' && { reasoning }),
      ...(toolCalls.length > 0 && { toolCalls }),
    }
    const reasoningTokens = this.#reasoningTokens(raw, reasoning)
    return { text, reasoning, toolCalls, message, reasoningTokens, raw, ...this.#output.all() }
  }

  #tellDelta({ reasoning, content, calls }: AnswerDelta): void {
    if (reasoning !== '') {
      const tokens = content === '' ? this.#output.take().tokens : nothing
      this.#tell({ type: 'reasoning', text: reasoning, tokens })
    }
    if (content !== '') this.#tell({ type: 'text', text: content, ...this.#output.take() })
    for (const call of calls) this.#tell({ type: 'tool-call-delta', ...call })
  }

  /** To the precision of what came at once. */
  #reasoningTokens(raw: string, reasoning: string): number {
    if (reasoning === '') return 0
    const at = raw.indexOf(reasoning)
    return at < 0 ? 0 : this.#output.tokensWithin(at + reasoning.length)
  }
}

/** A call that can be answered: its arguments are an object. */
function complete({ id, name, arguments: json }: NativeToolCall): ToolCall | undefined {
  const given = json.trim() === '' ? {} : parseObject(json)
  return given === undefined ? undefined : { id: id === '' ? newCallId() : id, name, arguments: given }
}
