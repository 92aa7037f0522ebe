/** The part of the boundary that says how tokens are chosen (`native/engine/sampler.cc`). */
import type { NativeGrammarTrigger, NativeThinkingTags } from './native-chat-types.js'

export interface NativeSampler {
  /** 32 bits; the caller has replaced "random" by a number already. */
  readonly seed: number
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly minP: number
  readonly typicalP: number
  readonly repeatPenalty: number
  readonly repeatLastN: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
  readonly dryMultiplier: number
  readonly dryBase: number
  readonly dryAllowedLength: number
  readonly dryLastN: number
  readonly dryBreakers: readonly string[]
  readonly xtcProbability: number
  readonly xtcThreshold: number
  /** 0 off, 1 or 2. */
  readonly mirostat: number
  readonly mirostatTau: number
  readonly mirostatEta: number
  readonly biasTokens: Int32Array
  readonly biasValues: Float32Array
  /** GBNF with a rule `root`; '' for none. */
  readonly grammar: string
  /** It binds only from a trigger on; see {@link NativeChatGrammar}. */
  readonly grammarLazy: boolean
  readonly grammarTriggers: readonly NativeGrammarTrigger[]
  /** The beginning of the answer that the prompt holds already, if the grammar has to accept it first. */
  readonly grammarPrefix: string
  /** Where thinking begins and ends, so that no lazy grammar binds inside it and it can be cut short. */
  readonly thinking: NativeThinkingLimit | undefined
}

export interface NativeThinkingLimit extends NativeThinkingTags {
  /** Most tokens of thinking; -1: no limit. */
  readonly maxTokens: number
  /** What is written in its place when they are used up; ends with one of `ends`. */
  readonly closing: string
}
