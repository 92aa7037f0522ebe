import { invalidOption, normalizeMessages, type Message } from '../chat/index.js'
import type { NativeRequest } from '../native-types.js'
import { shiftedTokens } from './overflow.js'
import type { End } from './generation-state.js'
import { emptyTranscript, rewound, withAnswer, type Prompt, type Tokenizer, type Transcript } from './transcript.js'

/** What a session is at one moment; nothing in it changes, so a fork begins with the same. */
export interface Conversation {
  readonly messages: readonly Message[]
  readonly transcript: Transcript
  /** Turns that no longer fit into the context. */
  readonly leftOut: number
  /** All tokens; their cells are kept in the engine as long as there is room. */
  readonly tokens: Int32Array
}

/** The prompt of a turn, as it was submitted. */
export interface Turn {
  readonly prompt: Prompt
  readonly leftOut: number
  readonly request: NativeRequest
}

export function newConversation(messages: readonly Message[]): Conversation {
  return { messages, transcript: emptyTranscript, leftOut: 0, tokens: new Int32Array() }
}

type Ended = Extract<End, { readonly failed: false }>

/** The conversation after an answer; `turn` is absent if the answer was stopped before it had a prompt. */
export function answered(
  before: Conversation,
  added: readonly Message[],
  turn: Turn | undefined,
  { result, answer }: Ended,
  tokenizer: Tokenizer,
): Conversation {
  const { raw, tokens } = answer
  const messages = [...before.messages, ...added, ...result.messages]
  if (turn === undefined) return { ...before, messages }
  const { prompt, leftOut, request } = turn
  const { shiftAt, shiftKeep, shiftDrop } = request
  if (shiftAt > 0 && prompt.tokens.length + tokens.length > shiftAt) {
    // Text that has lost its middle is the beginning of no later prompt.
    const left = shiftedTokens(prompt.tokens, tokens, shiftAt, { keep: shiftKeep, drop: shiftDrop })
    return { messages, transcript: emptyTranscript, leftOut, tokens: left }
  }
  const transcript = withAnswer(prompt, { text: raw, tokens }, messages.length, tokenizer)
  return { messages, transcript, leftOut, tokens: transcript.tokens }
}

/** The conversation without its last `to` messages, or with only the first `to.keep`. */
export function takenBack({ messages, transcript, leftOut }: Conversation, to: unknown): Conversation {
  const count = messagesLeft(to, messages.length)
  const left = rewound(transcript, count)
  return {
    messages: messages.slice(0, count),
    transcript: left,
    leftOut: left.tokens.length === 0 ? 0 : leftOut,
    tokens: left.tokens,
  }
}

/** The messages that a call adds; none are fine where there are some already. */
export function addedMessages(messages: unknown): readonly Message[] {
  return Array.isArray(messages) && messages.length === 0 ? [] : normalizeMessages(messages)
}

function messagesLeft(to: unknown, count: number): number {
  const keep = typeof to === 'object' && to !== null && 'keep' in to ? to.keep : undefined
  const left = typeof to === 'number' ? count - to : keep
  if (typeof left === 'number' && Number.isInteger(left) && left >= 0 && left <= count) return left
  throw invalidOption('to', `a number of messages from 0 to ${count}, or { keep } with one`, to)
}

/** Whether the last message is one that the model answers. */
export function awaitsAnswer(messages: readonly Message[]): boolean {
  const last = messages.at(-1)?.role
  return last === 'user' || last === 'tool'
}
