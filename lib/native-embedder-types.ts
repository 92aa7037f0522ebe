/** The part of the native boundary that turns texts into vectors. */
import type {
  NativeCancelFlag,
  NativeHandle,
  NativeModel,
  NativeTextPart,
  NativeTokenizeOptions,
} from './native-types.js'

export type NativeEmbedder = NativeHandle<'embedder'>

/** The tokens of several texts, one after the other, and how many each has. */
export interface NativeTokenLists {
  readonly tokens: Int32Array
  readonly lengths: Int32Array
}

export interface NativeEmbedderOptions {
  /** Most tokens of one input; not more than the model was trained for. */
  readonly contextSize: number
  /** Tokens that short inputs are packed up to in one step; at least `maxInputs`. */
  readonly batchSize: number
  /** Most inputs of one step, 1 to 256. */
  readonly maxInputs: number
  /** Whether an input longer than `batchSize` may be computed in several steps: only right for causal models. */
  readonly splits: boolean
  readonly threads: number
  readonly flashAttention: 'auto' | 'on' | 'off'
  readonly ownKernels: boolean
}

export interface NativeEmbedRequest extends NativeTokenLists {
  /** `rank`: the scores of the model's classifier, neither cut nor normalised. */
  readonly pooling: 'none' | 'mean' | 'cls' | 'last' | 'rank'
  /** Scale every vector to length 1. */
  readonly normalize: boolean
  /** Numbers kept of each vector, before it is normalised; 0: all. */
  readonly dimensions: number
  readonly cancelFlag: NativeCancelFlag
}

export interface NativeEmbedderStats {
  /** Decodes of llama.cpp. */
  readonly steps: number
  /** Inputs that are done. */
  readonly inputs: number
  readonly tokens: number
  /** Calls that wait or run. */
  readonly waiting: number
  readonly computeMs: number
}

/** The packing function's input: a text with tokens known and, if it is long, some computed. */
export interface PackInput {
  readonly length: number
  readonly computed: number
}

export interface PackLimits {
  readonly tokens: number
  readonly inputs: number
  readonly splits: boolean
}

/** The addon's exports for embedding. */
export interface EmbedderAddon {
  /** The tokens of several texts in one job; each text is a list of runs. */
  tokenizeTexts(
    model: NativeModel,
    texts: readonly (readonly NativeTextPart[])[],
    options: NativeTokenizeOptions,
  ): Promise<NativeTokenLists>
  /** Makes nothing heavy yet: the context comes with the first request. */
  embedderCreate(model: NativeModel, options: NativeEmbedderOptions): NativeEmbedder
  /** The vectors of all inputs in their order; with pooling `none` one per token. */
  embedderRun(embedder: NativeEmbedder, request: NativeEmbedRequest): Promise<Float32Array>
  embedderStats(embedder: NativeEmbedder): NativeEmbedderStats
  /** Ends what runs and waits with ERR_DISPOSED. */
  embedderClose(embedder: NativeEmbedder): Promise<void>
  /** How many tokens of each of the first inputs one step of embeddings computes. */
  packStep(waiting: readonly PackInput[], limits: PackLimits): number[]
}
