import type { Message } from '../chat/index.js'

/** Why a generation ended: by itself or at a stop string, at `maxTokens`, by the caller, or for want of context. */
export type FinishReason = 'stop' | 'length' | 'abort' | 'context-full'

/** What a generation cost. Times are in milliseconds. */
export interface Usage {
  /** Tokens of the prompt. */
  readonly inputTokens: number
  /** Those of them that needed no computing because the KV cache held them. */
  readonly cachedTokens: number
  /** Tokens of the answer. */
  readonly outputTokens: number
  /** Tokens that were proposed and verified beside others; see the option `speculation`. */
  readonly draftTokens: number
  /** Those of them that became part of the answer, each without a step of its own. */
  readonly acceptedTokens: number
  /** Waiting for a place in the engine. */
  readonly queueMs: number
  /** Computing the prompt. */
  readonly prefillMs: number
  /** From the first token of the answer to the last. */
  readonly decodeMs: number
  /** From the request's entry into the engine to the first token of the answer. */
  readonly ttftMs: number
}

/** A token with the natural logarithm of its probability. */
export interface TokenLogprob {
  readonly token: number
  readonly logprob: number
}

/** One entry per token: the chosen token first, then the likeliest alternatives. */
export type Logprobs = readonly (readonly TokenLogprob[])[]

/** The next piece of the answer: whole characters, never part of a stop string. */
export interface TextPart {
  readonly type: 'text'
  readonly text: string
  /** The tokens behind the text and behind what was held back before it. */
  readonly tokens: Int32Array
  /** Present with the option `logprobs`; one entry per token of `tokens`. */
  readonly logprobs?: Logprobs
}

/** How much of the prompt is computed; only with the option `progress`. */
export interface ProgressPart {
  readonly type: 'progress'
  /** Tokens of the prompt computed so far. */
  readonly computedTokens: number
  /** Tokens of the whole prompt. */
  readonly inputTokens: number
}

/** The last part of every generation that did not fail. */
export interface FinishPart {
  readonly type: 'finish'
  readonly finishReason: FinishReason
  readonly usage: Usage
}

/** What a generation yields, told apart by `type`. Later versions add types: let a `switch` have a default. */
export type Part = TextPart | ProgressPart | FinishPart

/** What a generation comes to. */
export interface Result {
  /** The whole answer. */
  readonly text: string
  /** The answer as a message, ready to be appended to the conversation. */
  readonly message: Message
  readonly finishReason: FinishReason
  readonly usage: Usage
  /** All tokens of the answer, also those without text of their own, such as the end token. */
  readonly tokens: Int32Array
  /** Present with the option `logprobs`; one entry per token of `tokens`. */
  readonly logprobs?: Logprobs
}
