export type { Message, ReasoningLevel, Role, Schema } from '../chat/index.js'
export { Adapter, type AdapterInfo, type ScaledAdapter } from './adapter.js'
export type { AdapterJudge, AdapterOptions } from './adapters.js'
export { withDefaults, type BroughtAlong } from './brought.js'
export { chatOptions, type ChatOptions } from './chat-options.js'
export type { ControlVectorData } from './control-vector.js'
export type { EmbeddingMetrics, EmbedResult, EmbedUsage } from './embed.js'
export type { EmbedInput } from './embed-input.js'
export { embedOptions, rerankOptions, type EmbedOptions, type RerankOptions } from './embed-options.js'
export { Generation } from './generation.js'
export { Model, openModel, type DetokenizeOptions, type ModelSource, type TokenizeOptions } from './model.js'
export type { DraftModelInfo, ModelInfo } from './model-info.js'
export type { MediaMetrics, ModelMetrics } from './model-metrics.js'
export { modelOptions, type CacheType, type ModelOptions, type ProjectorSource } from './model-options.js'
export { Session } from './session.js'
export type { PrefillOptions, SessionChatOptions, SessionOptions } from './session-options.js'
export type { Overflow } from './overflow.js'
export {
  generateOptions,
  type CacheOptions,
  type DryOptions,
  type GenerateOptions,
  type MirostatOptions,
  type XtcOptions,
} from './options.js'
export type { SpeculationOptions } from './speculation.js'
export type {
  FinishPart,
  FinishReason,
  Logprobs,
  Part,
  ProgressPart,
  ReasoningPart,
  Result,
  TextPart,
  TokenLogprob,
  ToolCallDeltaPart,
  ToolCallPart,
  ToolResultPart,
  Usage,
} from './part.js'
export type { PromptPart, RawPrompt } from './prompt-part.js'
export type { TemplateOptions } from './template-options.js'
export type { Pooling } from './pooling.js'
export type { RankedDocument, RerankResult } from './rerank.js'
