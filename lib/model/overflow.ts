import { messageBytes, type Message } from '../chat/index.js'
import { contextFullError } from './context-full.js'
import { wholeLength, wholeLengthAfter } from './media-run.js'

/** What happens when prompt and answer do not fit into the context together. */
export type Overflow = 'error' | 'truncate' | 'shift'

export const overflows: readonly Overflow[] = ['error', 'truncate', 'shift']

/** Tokens of which the oldest behind the first `keep` are dropped, so many that the latest half of the rest stays. */
export interface Shortening {
  readonly keep: number
  readonly drop: number
}

/** What the policies need to know of a request. */
export interface OverflowValues {
  readonly overflow: Overflow
  readonly keep: number
  readonly maxTokens: number | undefined
}

// Without maxTokens an answer gets at least this share of the context.
const answerShare = 8

/**
 * The one rule of which tokens stay, for prompts and while generating: the first `keep` and the latest half of what the
 * context has beside them. So does Ollama, and llama.cpp's own context shift.
 */
export function shortening(length: number, contextSize: number, keep: number): Shortening {
  const first = Math.min(keep, contextSize - 2)
  const remaining = contextSize - Math.max(Math.floor((contextSize - first) / 2), 1)
  return { keep: first, drop: Math.max(0, length - remaining) }
}

/** The tokens that a shortening leaves. */
export function shorten(tokens: Int32Array, { keep, drop }: Shortening): Int32Array {
  if (drop === 0) return tokens
  const left = new Int32Array(tokens.length - drop)
  left.set(tokens.subarray(0, keep))
  left.set(tokens.subarray(keep + drop), keep)
  return left
}

/** Most tokens of a prompt that leaves the answer its room: `maxTokens`, but at most half of the context. */
export function promptRoom({ overflow, maxTokens }: OverflowValues, contextSize: number): number {
  if (overflow === 'error') return contextSize - 1
  const wanted = Math.min(maxTokens ?? Math.ceil(contextSize / answerShare), Math.floor(contextSize / 2))
  return contextSize - Math.max(wanted, 1)
}

/** A raw prompt as the policy lets it pass; unchanged, and then refused, if all of it shall be kept. */
export function fitPrompt(
  tokens: Int32Array,
  values: OverflowValues,
  contextSize: number,
  bosToken: number | undefined,
): Int32Array {
  if (values.overflow === 'error' || values.keep < 0 || tokens.length <= promptRoom(values, contextSize)) return tokens
  return shorten(tokens, shortening(tokens.length, contextSize, keptTokens(tokens, values.keep, bosToken)))
}

/** How many tokens at the beginning never go: BOS does not count, and -1 is the whole prompt. */
export function keptTokens(tokens: Int32Array, keep: number, bosToken: number | undefined): number {
  if (keep < 0) return tokens.length
  return bosToken !== undefined && tokens[0] === bosToken ? keep + 1 : keep
}

/**
 * The prompt of a conversation as the policy lets it pass: as many of the oldest turns are left out as must be. A turn
 * begins with a message of the user. Messages of the system stay, and so does the last turn.
 *
 * @param make the prompt of some of the messages; called about log₂ of the number of turns
 * @param leftOut turns that were left out before: they do not come back
 * Rejects with `ERR_CONTEXT_FULL` when not even the last turn fits.
 */
export async function fitMessages<Prompt extends { readonly tokens: Int32Array; readonly release?: () => void }>(
  messages: readonly Message[],
  values: OverflowValues,
  limits: { readonly contextSize: number; readonly mostBytes: number },
  make: (messages: readonly Message[]) => Promise<Prompt>,
  leftOut = 0,
): Promise<{ readonly prompt: Prompt; readonly leftOut: number }> {
  if (values.overflow === 'error') return { prompt: await make(messages), leftOut: 0 }
  const room = promptRoom(values, limits.contextSize)
  const turns = turnStarts(messages)
  const most = Math.max(turns.length - 1, 0)
  let least = Math.min(leftOut, most)
  while (least < most && bytesWithout(messages, turns, least) > limits.mostBytes) least++
  const attempt = (count: number): Promise<Prompt> => make(withoutTurns(messages, turns, count))

  let prompt = await attempt(least)
  if (prompt.tokens.length <= room) return { prompt, leftOut: least }
  let [tooFew, enough] = [least, most]
  if (most > least) {
    prompt.release?.()
    prompt = await attempt(most)
  }
  if (prompt.tokens.length > room) {
    if (prompt.tokens.length < limits.contextSize) return { prompt, leftOut: most }
    prompt.release?.()
    throw contextFullError(`${prompt.tokens.length} tokens even without its oldest turns`, limits.contextSize, {
      promptTokens: prompt.tokens.length,
    })
  }
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2)
    const tried = await attempt(middle)
    if (tried.tokens.length > room) {
      tried.release?.()
      tooFew = middle
    } else {
      prompt.release?.()
      ;[enough, prompt] = [middle, tried]
    }
  }
  return { prompt, leftOut: enough }
}

/** Where turns begin. What stands before the first message of the user is a turn as well. */
function turnStarts(messages: readonly Message[]): number[] {
  const starts: number[] = []
  for (const [index, { role }] of messages.entries()) {
    if (role === 'user' || (role !== 'system' && starts.length === 0)) starts.push(index)
  }
  return starts
}

function withoutTurns(messages: readonly Message[], turns: readonly number[], count: number): readonly Message[] {
  const from = turns[count] ?? 0
  return messages.filter(({ role }, index) => index >= from || role === 'system')
}

function bytesWithout(messages: readonly Message[], turns: readonly number[], count: number): number {
  return messageBytes(withoutTurns(messages, turns, count))
}

/**
 * The tokens that a sequence has after an answer during which it dropped its oldest at `at` tokens; 0: never. Images and
 * audio go as a whole.
 */
export function shiftedTokens(prompt: Int32Array, answer: Int32Array, at: number, shift: Shortening): Int32Array {
  const tokens = [...prompt]
  for (const [index, token] of answer.entries()) {
    tokens.push(token)
    const goesOn = index + 1 < answer.length
    if (at === 0 || tokens.length < at || !goesOn) continue
    const from = wholeLength(tokens, shift.keep)
    tokens.splice(from, wholeLengthAfter(tokens, shift.keep + shift.drop) - from)
  }
  return Int32Array.from(tokens)
}
