import type { NativeFinish } from '../native-types.js'
import type { Usage } from './part.js'

export const noUsage: Usage = {
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  draftTokens: 0,
  acceptedTokens: 0,
  queueMs: 0,
  prefillMs: 0,
  decodeMs: 0,
  ttftMs: 0,
}

/** The cost with one more step; the time to the first token is that of the first step. */
export function addUsage(before: Usage, step: NativeFinish): Usage {
  return {
    inputTokens: before.inputTokens + step.inputTokens,
    cachedTokens: before.cachedTokens + step.cachedTokens,
    outputTokens: before.outputTokens + step.outputTokens,
    reasoningTokens: before.reasoningTokens,
    draftTokens: before.draftTokens + step.draftTokens,
    acceptedTokens: before.acceptedTokens + step.acceptedTokens,
    queueMs: before.queueMs + step.queueMs,
    prefillMs: before.prefillMs + step.prefillMs,
    decodeMs: before.decodeMs + step.decodeMs,
    ttftMs: before === noUsage ? step.ttftMs : before.ttftMs,
  }
}
