export { errorCodes, LlameroError, type ErrorCode, type LlameroErrorOptions } from './errors.js'
export type { RenderOptions } from './chat/index.js'
export {
  Generation,
  Model,
  type CacheOptions,
  type CacheType,
  type DetokenizeOptions,
  type DryOptions,
  type FinishPart,
  type FinishReason,
  type GenerateOptions,
  type Logprobs,
  type Message,
  type MirostatOptions,
  type ModelInfo,
  type ModelMetrics,
  type ModelOptions,
  type Overflow,
  type Part,
  type ProgressPart,
  type Result,
  type Role,
  type TextPart,
  type TokenizeOptions,
  type TokenLogprob,
  type Usage,
  type XtcOptions,
} from './model/index.js'
export { load, type LoadOptions } from './runtime/load.js'
export type { PullOptions, PullProgress, RetryOptions } from './transfer/index.js'
