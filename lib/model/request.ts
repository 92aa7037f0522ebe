import { randomInt } from 'node:crypto'
import { type ChatPrompt, noGrammar, plainRendering, type ReasoningValues } from '../chat/index.js'
import type { NativePlacedMedium, NativeRequest, NativeSampler, NativeThinkingLimit } from '../native-types.js'
import { contextFullError } from './context-full.js'
import { nativeAdapters } from './adapter-set.js'
import type { Limits } from './option-rule.js'
import type { AnswerValues } from './options.js'
import { keptTokens, shortening } from './overflow.js'
import type { PreparedRequest } from './step.js'

// design.md: an unread stream parks at some 1,024 tokens; a blocked event loop is not yet an absent reader.
const bufferTokens = 1024

/** What a request needs beside its tokens and options. */
export interface RequestSetting {
  readonly limits: Limits
  readonly bosToken: number | undefined
  /** The number of the session that asks; 0: none. */
  readonly session: number
  /** Pictures and sounds that stand in the tokens. @default none */
  readonly media?: readonly NativePlacedMedium[]
}

/** What a prompt says of its answer. */
export type AnswerShape = Pick<ChatPrompt, 'grammar' | 'preservedTokens' | 'stops' | 'thinking'>

/** Any text. */
export const anyAnswer: AnswerShape = {
  grammar: noGrammar,
  preservedTokens: new Int32Array(),
  stops: [],
  thinking: undefined,
}

// Ollama's bound for an answer that shifts: a model that never ends by itself would go on for ever.
const shiftedContexts = 10

/**
 * The request that the engine gets. Prompt and answer share the context: the prompt must leave room for one token, and
 * the answer ends where the context does, unless it shifts.
 */
export function prepareRequest(
  tokens: Int32Array,
  options: AnswerValues & { readonly reasoning?: ReasoningValues },
  setting: RequestSetting,
  shape: AnswerShape,
): PreparedRequest {
  const { contextSize } = setting.limits
  const room = contextSize - tokens.length
  if (room < 1) throw contextFullError(`${tokens.length} tokens`, contextSize, { promptTokens: tokens.length })
  const shifts = options.overflow === 'shift'
  const maxTokens = options.maxTokens ?? (shifts ? shiftedContexts * contextSize : Infinity)
  return {
    request: {
      tokens,
      media: setting.media ?? [],
      maxTokens: shifts ? maxTokens : Math.min(maxTokens, room),
      stop: [...options.stop, ...shape.stops],
      ignoreEos: options.ignoreEos,
      sampler: nativeSampler(options, contextSize, shape),
      logprobs: options.logprobs ?? -1,
      priority: options.priority,
      timeoutMs: options.timeoutMs ?? 0,
      queueTimeoutMs: options.queueTimeoutMs ?? 0,
      progress: options.progress,
      bufferTokens,
      cacheKey: options.cache?.key ?? '',
      session: setting.session,
      ...nativeShift(tokens, options, setting),
      adapters: nativeAdapters(options.adapters),
      draftTokens: options.speculation?.maxTokens ?? 0,
      adaptDrafts: options.speculation?.adaptive ?? true,
      draftModel: options.speculation?.draft ?? false,
      preservedTokens: shape.preservedTokens,
    },
    endsWithContext: !shifts && room < maxTokens,
  }
}

function nativeShift(
  tokens: Int32Array,
  { overflow, keep }: AnswerValues,
  { limits: { contextSize }, bosToken }: RequestSetting,
): Pick<NativeRequest, 'shiftAt' | 'shiftKeep' | 'shiftDrop'> {
  if (overflow !== 'shift') return { shiftAt: 0, shiftKeep: 0, shiftDrop: 0 }
  const { keep: first, drop } = shortening(contextSize, contextSize, keptTokens(tokens, keep, bosToken))
  return { shiftAt: contextSize, shiftKeep: first, shiftDrop: drop }
}

function nativeSampler(
  options: AnswerValues & { readonly reasoning?: ReasoningValues },
  contextSize: number,
  shape: AnswerShape,
): NativeSampler {
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
    grammar: shape.grammar.grammar,
    grammarLazy: shape.grammar.lazy,
    grammarTriggers: shape.grammar.triggers,
    grammarPrefix: shape.grammar.prefix,
    thinking: thinkingLimit(shape, options.reasoning ?? plainRendering.reasoning),
  }
}

function thinkingLimit({ thinking }: AnswerShape, { maxTokens }: ReasoningValues): NativeThinkingLimit | undefined {
  const closing = thinking?.ends[0]
  if (thinking === undefined || closing === undefined) return undefined
  return { ...thinking, maxTokens: maxTokens ?? -1, closing }
}
