import { LlameroError } from '../errors.js'
import type { NativeFinish, NativeRequest } from '../native-types.js'

/** What a request was doing when its time was over. */
export type TimeoutPhase = 'queue' | 'prefill' | 'decode'

/** Why a request that the engine ended with `ERR_TIMEOUT` came to no end of its own. */
export function timeoutError(finish: NativeFinish, request: NativeRequest): LlameroError {
  const { queueMs, prefillMs, decodeMs, inputTokens, outputTokens } = finish
  const phase: TimeoutPhase = outputTokens > 0 ? 'decode' : prefillMs > 0 ? 'prefill' : 'queue'
  const inQueue = phase === 'queue' && !(request.timeoutMs > 0 && queueMs >= request.timeoutMs)
  const [option, limitMs] = inQueue
    ? (['queueTimeoutMs', request.queueTimeoutMs] as const)
    : (['timeoutMs', request.timeoutMs] as const)
  return new LlameroError(
    'ERR_TIMEOUT',
    `The request was ended after its ${option} of ${limitMs} ms, ${course(finish)[phase]}; ` +
      `${phase === 'queue' ? 'send fewer at once' : 'shorten it'} or raise ${option}.`,
    { details: { option, limitMs, phase, queueMs, prefillMs, decodeMs, inputTokens, outputTokens } },
  )
}

function course({
  queueMs,
  prefillMs,
  decodeMs,
  inputTokens,
  outputTokens,
}: NativeFinish): Record<TimeoutPhase, string> {
  const round = Math.round
  return {
    queue: 'before it got a place in the engine',
    prefill: `${round(queueMs)} ms of them in the queue and ${round(prefillMs)} ms on its prompt of ${inputTokens} tokens`,
    decode:
      `${round(queueMs)} ms of them in the queue, ${round(prefillMs)} ms on its prompt of ${inputTokens} tokens ` +
      `and ${round(decodeMs)} ms on ${outputTokens} tokens of the answer`,
  }
}
