import type { JsonValue, Message, ToolCall } from '../chat/index.js'

/**
 * Why a generation ended: by itself or at a stop string, at `maxTokens`, with calls that are the caller's to answer or
 * after `maxSteps`, by the caller, or for want of context.
 */
export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'abort' | 'context-full'

/** What a generation cost, all of its steps together. Times are in milliseconds. */
export interface Usage {
  /** Tokens of the prompt. */
  readonly inputTokens: number
  /** Those of them that needed no computing because the KV cache held them. */
  readonly cachedTokens: number
  /** Tokens of the answer. */
  readonly outputTokens: number
  /** Those of them that were thinking, with its opening and closing. */
  readonly reasoningTokens: number
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

/** The next piece of what the model thinks before it answers. */
export interface ReasoningPart {
  readonly type: 'reasoning'
  readonly text: string
  /** The tokens behind the text and behind what was held back before it. */
  readonly tokens: Int32Array
}

/** The next piece of a call that the model is writing. */
export interface ToolCallDeltaPart {
  readonly type: 'tool-call-delta'
  /** Which of the step's calls, from 0. */
  readonly index: number
  readonly name: string
  /** More of the arguments' JSON text; together the pieces make all of it. */
  readonly arguments: string
}

/** A call is complete. */
export interface ToolCallPart extends ToolCall {
  readonly type: 'tool-call'
}

/** A tool has run. */
export interface ToolResultPart {
  readonly type: 'tool-result'
  readonly toolCallId: string
  readonly toolName: string
  /** What it returned, as JSON holds it; absent if it failed. */
  readonly result?: JsonValue | undefined
  /** Why it failed, as the model is told. */
  readonly error?: string | undefined
  /** What it threw, if that was the reason. */
  readonly cause?: unknown
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
export type Part =
  TextPart | ReasoningPart | ToolCallDeltaPart | ToolCallPart | ToolResultPart | ProgressPart | FinishPart

/** What a generation comes to. Where tools ran in between, all but `messages` and `usage` is of the last step. */
export interface Result<Value = unknown> {
  /** The whole answer, without what is told apart from it below. */
  readonly text: string
  /** What the model thought before it answered; '' if it did not, or can't. */
  readonly reasoning: string
  /** The calls of the answer. With the finish reason `tool-calls` they are the caller's to answer. */
  readonly toolCalls: readonly ToolCall[]
  /** The answer as a message, ready to be appended to the conversation. */
  readonly message: Message
  /** All that the conversation has got: calls, results of tools, and the answer. */
  readonly messages: readonly Message[]
  /** With `schema` or `json`: what the answer says, checked. Absent where the answer was stopped or is calls of tools. */
  readonly object: Value
  readonly finishReason: FinishReason
  /** What of schemas no grammar can hold, so that it did not bind the model, in sentences. */
  readonly warnings: readonly string[]
  readonly usage: Usage
  /** All tokens of the answer, also those without text of their own, such as the end token. */
  readonly tokens: Int32Array
  /** Present with the option `logprobs`; one entry per token of `tokens`. */
  readonly logprobs?: Logprobs
}
