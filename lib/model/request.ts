import { randomInt } from 'node:crypto'
import { LlameroError } from '../errors.js'
import type { NativeSampler } from '../native-types.js'
import type { PreparedRequest } from './generation-state.js'
import type { Limits } from './option-rule.js'
import type { GenerateValues } from './options.js'

// design.md: an unread stream parks at some 1,024 tokens; a blocked event loop is not yet an absent reader.
const bufferTokens = 1024

/**
 * The request that the engine gets. Prompt and answer share the context: the prompt must leave room for one token, and
 * the answer ends where the context does.
 */
export function prepareRequest(tokens: Int32Array, options: GenerateValues, limits: Limits): PreparedRequest {
  const { contextSize } = limits
  const room = contextSize - tokens.length
  if (room < 1) throw contextFullError(`${tokens.length} tokens`, contextSize, { promptTokens: tokens.length })
  const { maxTokens = Infinity } = options
  return {
    request: {
      tokens,
      maxTokens: Math.min(maxTokens, room),
      stop: options.stop,
      ignoreEos: options.ignoreEos,
      sampler: nativeSampler(options, contextSize),
      logprobs: options.logprobs ?? -1,
      priority: options.priority,
      timeoutMs: options.timeoutMs ?? 0,
      queueTimeoutMs: options.queueTimeoutMs ?? 0,
      progress: options.progress,
      bufferTokens,
      cacheKey: options.cache?.key ?? '',
      session: 0,
    },
    endsWithContext: room < maxTokens,
  }
}

export function contextFullError(size: string, contextSize: number, details: object): LlameroError {
  return new LlameroError(
    'ERR_CONTEXT_FULL',
    `The prompt has ${size}, but prompt and answer share a context of ${contextSize} tokens; ` +
      'shorten the prompt or open the model with a larger contextSize.',
    { details: { ...details, contextSize } },
  )
}

function nativeSampler(options: GenerateValues, contextSize: number): NativeSampler {
  const { dry, xtc, mirostat, logitBias, repeatLastN } = options
  const inContext = (tokens: number): number => (tokens === -1 ? contextSize : Math.min(tokens, contextSize))
  return {
    seed: options.seed ?? randomInt(2 ** 32 - 1),
    temperature: options.temperature,
    topK: options.topK,
    topP: options.topP,
    minP: options.minP,
    typicalP: options.typicalP,
    repeatPenalty: options.repeatPenalty,
    repeatLastN: inContext(repeatLastN),
    presencePenalty: options.presencePenalty,
    frequencyPenalty: options.frequencyPenalty,
    dryMultiplier: dry?.multiplier ?? 0,
    dryBase: dry?.base ?? 1.75,
    dryAllowedLength: dry?.allowedLength ?? 2,
    dryLastN: dry === undefined ? 0 : inContext(dry.lastN),
    dryBreakers: dry?.breakers ?? [],
    xtcProbability: xtc?.probability ?? 0,
    xtcThreshold: xtc?.threshold ?? 0.1,
    mirostat: mirostat?.version ?? 0,
    mirostatTau: mirostat?.tau ?? 5,
    mirostatEta: mirostat?.eta ?? 0.1,
    biasTokens: logitBias.tokens,
    biasValues: logitBias.values,
    grammar: options.grammar,
  }
}
