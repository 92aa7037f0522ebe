import type { Model } from '../lib/model/index.js'
import { rate } from './measure.js'

/** When what of one streamed generation reached JavaScript; times as of `performance.now()`. */
export interface StreamTiming {
  readonly startedAt: number
  /** What was told of the prompt: how many of its tokens were computed, and when. */
  readonly progress: readonly { readonly tokens: number; readonly at: number }[]
  readonly firstAt: number
  /** Tokens that came with the first part. */
  readonly firstTokens: number
  readonly endedAt: number
  readonly tokens: number
}

export interface StreamOptions {
  readonly maxTokens: number
  readonly progress?: boolean
  /** With whom the prompt is shared; with all that give none by default. */
  readonly cache?: { readonly key: string }
  /** Called for each part with the tokens received so far. */
  readonly onTokens?: (tokens: number) => void
}

/** Streams a greedy generation that nothing ends before `maxTokens`, as a user's `for await` would. */
export async function timeStream(model: Model, prompt: Int32Array, options: StreamOptions): Promise<StreamTiming> {
  const { maxTokens, progress = false, cache, onTokens } = options
  const sampling = { temperature: 0, ignoreEos: true, maxTokens, progress, cache }
  const told: { tokens: number; at: number }[] = []
  let firstAt = 0
  let firstTokens = 0
  let tokens = 0
  const startedAt = performance.now()
  for await (const part of model.generate(prompt, sampling)) {
    if (part.type === 'progress') told.push({ tokens: part.computedTokens, at: performance.now() })
    if (part.type === 'text') {
      tokens += part.tokens.length
      if (firstAt === 0) {
        firstAt = performance.now()
        firstTokens = tokens
      }
      onTokens?.(tokens)
    }
    if (part.type === 'finish') {
      const endedAt = performance.now()
      if (part.finishReason !== 'length' || part.usage.outputTokens !== maxTokens) {
        throw new Error(`${maxTokens} tokens were expected, ${part.usage.outputTokens} came (${part.finishReason}).`)
      }
      return { startedAt, progress: told, firstAt: firstAt || endedAt, firstTokens, endedAt, tokens: maxTokens }
    }
  }
  throw new Error('The stream ended without a finish part.')
}

/** Tokens per second from the first token received to the last. */
export function decodeRate(timing: StreamTiming): number {
  return rate(timing.tokens - timing.firstTokens, timing.endedAt - timing.firstAt)
}
