/**
 * The contract of the native boundary: what the addon (`native/addon.cc`) exports. TypeScript decides meaning (names,
 * defaults, ranges); C++ guards memory. All fields are required here, so that nothing has a default on the far side.
 */
import type { LlameroError } from './errors.js'
import type { ChatAddon } from './native-chat-types.js'
import type { NativeCacheFiles, NativeCacheRoot, NativeCacheStats } from './native-cache-types.js'
import type { DraftAddon } from './native-draft-types.js'
import type { EmbedderAddon } from './native-embedder-types.js'
import type { NativeLoadOptions } from './native-load-types.js'
import type {
  BudgetLimits,
  NativeFreeMemory,
  NativeMemoryNeed,
  PaceStep,
  Plan,
  PlanLimits,
  PlanSequence,
  PrefillPace,
  ThreadState,
} from './native-policy-types.js'
import type { MediaAddon, NativePlacedMedium } from './native-media-types.js'
import type { QuantizeAddon } from './native-quantize-types.js'
import type { SchemaAddon } from './native-schema-types.js'
import type { NativeSampler } from './native-sampler-types.js'

export type { NativeCacheFiles, NativeCacheRoot } from './native-cache-types.js'
export type * from './native-chat-types.js'
export type * from './native-draft-types.js'
export type * from './native-embedder-types.js'
export type * from './native-load-types.js'
export type * from './native-policy-types.js'
export type * from './native-media-types.js'
export type * from './native-quantize-types.js'
export type * from './native-schema-types.js'
export type * from './native-sampler-types.js'

declare const kind: unique symbol
/** An opaque, type-tagged native object. */
export interface NativeHandle<Kind extends string> {
  readonly [kind]: Kind
}
export type NativeModel = NativeHandle<'model'>
export type NativeEngine = NativeHandle<'engine'>
export type NativeAdapter = NativeHandle<'adapter'>
export type NativeCancelFlag = NativeHandle<'cancel-flag'>

/** A ggml backend module for CPUs: its file and llama.cpp's score for this machine (0: cannot run here). */
export interface CpuModule {
  readonly name: string
  readonly path: string
  readonly score: number
  /** What llamero's own kernels compute in it, where the pool of threads asks for them. */
  readonly kernels: readonly ('attention' | 'products')[]
}

export interface NativeDevice {
  readonly name: string
  readonly description: string
  readonly type: 'cpu' | 'gpu' | 'igpu' | 'accel' | 'meta'
  readonly totalBytes: number
  readonly freeBytes: number
}

export interface BackendReport {
  /** llama.cpp's tag, such as `v0.5.0`. */
  readonly llamaTag: string
  /** The CPU module in use, such as `zen4`. */
  readonly cpuModule: string
  readonly devices: readonly NativeDevice[]
}

export interface NativeModelInfo {
  /** llama.cpp's one-line description, such as `llama 135M Q4_1`. */
  readonly description: string
  readonly architecture: string
  readonly parameters: number
  readonly sizeBytes: number
  readonly vocabularySize: number
  readonly trainedContextSize: number
  /** Numbers of an output vector. */
  readonly embeddingSize: number
  readonly layers: number
  /** Those of them on GPUs, and one more for the layer that makes logits; 0: none. */
  readonly gpuLayers: number
  readonly hasEncoder: boolean
  readonly hasDecoder: boolean
  readonly isRecurrent: boolean
  readonly isHybrid: boolean
  /** Sliding window in tokens; 0: none. */
  readonly slidingWindow: number
  /** Special token ids; -1 where the vocabulary has none. */
  readonly bosToken: number
  readonly eosToken: number
  readonly fimPrefixToken: number
  readonly fimSuffixToken: number
  readonly fimMiddleToken: number
  readonly sepToken: number
  readonly addsBos: boolean
  readonly addsEos: boolean
  readonly addsSep: boolean
  /** The model's own Jinja template, '' if it has none. */
  readonly chatTemplate: string
  /** Scalar metadata as text; arrays are left out. */
  readonly metadata: Readonly<Record<string, string>>
}

/** A run of prompt text; special tokens are parsed only where `trusted`. */
export interface NativeTextPart {
  readonly text: string
  readonly trusted: boolean
}

export interface NativeTokenizeOptions {
  /** Add the vocabulary's own BOS and EOS where it asks for them. */
  readonly addSpecial: boolean
}

export interface NativeDetokenizeOptions {
  readonly removeSpecial: boolean
  readonly renderSpecial: boolean
}

export interface NativeEngineOptions {
  /** Cells of the KV cache, shared by all sequences. */
  readonly contextSize: number
  /** Sequences that may run at once, 1 to 256. */
  readonly maxSequences: number
  /** Prefixes of ended requests that may be kept beside them; both together at most 256. */
  readonly cachedSequences: number
  /** Most tokens of such prefixes that are kept for nobody in particular. */
  readonly cacheTokens: number
  /** Main memory for the prefixes that give way, and for checkpoints, in bytes. */
  readonly cacheBytes: number
  readonly cacheFiles: NativeCacheFiles | undefined
  /** Most tokens of one decode. */
  readonly batchSize: number
  /** Most tokens of one graph run. */
  readonly microBatchSize: number
  /** Tokens that a step can take back where the memory can't be cut, 0 to 64; each costs the states of all sequences. */
  readonly rollback: number
  /** Most compute threads. */
  readonly threads: number
  /** Lower the number of threads while other processes take the cores. */
  readonly adaptThreads: boolean
  readonly flashAttention: 'auto' | 'on' | 'off'
  /** Whether our kernels compute what they know, or upstream's all of it. */
  readonly ownKernels: boolean
  readonly keyType: string
  readonly valueType: string
  /** Requests that may wait for a place; more give ERR_QUEUE_FULL. */
  readonly queueLimit: number
  /** Most that prompts add to a step of sequences that generate, in ms; see `native/engine/prefill_budget.h`. */
  readonly stepTargetMs: number
}

export interface NativeEngineInfo {
  readonly contextSize: number
  readonly maxSequences: number
  readonly batchSize: number
  readonly microBatchSize: number
  readonly threads: number
}

export interface NativeRequest extends NativeCacheRoot {
  readonly tokens: Int32Array
  readonly media: readonly NativePlacedMedium[]
  /** -1: until the context is full. */
  readonly maxTokens: number
  readonly stop: readonly string[]
  readonly ignoreEos: boolean
  readonly sampler: NativeSampler
  /** How many alternatives to report per token; -1: no log probabilities. */
  readonly logprobs: number
  /** Higher runs first. */
  readonly priority: number
  /** From its entry to its end, then it ends with ERR_TIMEOUT; 0: no limit. */
  readonly timeoutMs: number
  /** From its entry until it runs for the first time; 0: no limit. */
  readonly queueTimeoutMs: number
  /** Report progress of the prompt. */
  readonly progress: boolean
  /** Tokens that may lie unread before the sequence parks. */
  readonly bufferTokens: number
  /** The session that this continues and whose prefix it becomes; 0: none. */
  readonly session: number
  /** Tokens at which the sequence drops `shiftDrop` of them behind its first `shiftKeep` and goes on; 0: never. */
  readonly shiftAt: number
  readonly shiftKeep: number
  readonly shiftDrop: number
  /** Most tokens that a step may propose and verify; 0: none. */
  readonly draftTokens: number
  /** Propose as many as pay; else always as many as there are. */
  readonly adaptDrafts: boolean
  /** Ask the engine's draft model too, if it has one. */
  readonly draftModel: boolean
  /** Special tokens whose text belongs to the answer; that of others is left away. */
  readonly preservedTokens: Int32Array
}

export interface NativeScaledAdapter {
  readonly adapter: NativeAdapter
  readonly scale: number
}

/** Why a generation ended; `error` is thrown, the others are values. */
export type NativeFinishReason = 'stop' | 'length' | 'abort' | 'context-full' | 'error'

export interface NativeTokenLogprob {
  readonly token: number
  readonly logprob: number
}

export interface NativeFinish {
  readonly reason: NativeFinishReason
  readonly errorCode: string
  readonly errorMessage: string
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
  /** Tokens proposed, and those of them that were said, each without a step of its own. */
  readonly draftTokens: number
  readonly acceptedTokens: number
  readonly queueMs: number
  readonly prefillMs: number
  readonly decodeMs: number
  readonly ttftMs: number
}

/** What happened to one request since the last call; several steps are merged when JavaScript was late. */
export interface NativeNews {
  readonly id: number
  /** Whole characters, '' if none became complete. */
  readonly text: string
  /** The tokens behind this news, also those whose text is still held back. */
  readonly tokens: Int32Array
  /** One entry per token of `tokens`, most likely first, the chosen token at index 0; only when asked for. */
  readonly logprobs?: readonly (readonly NativeTokenLogprob[])[]
  /** Prompt tokens computed so far; only when asked for. */
  readonly promptTokens?: number
  readonly finish?: NativeFinish
}

export interface NativeEngineStats extends NativeCacheStats {
  readonly steps: number
  readonly promptTokens: number
  readonly outputTokens: number
  /** Tokens proposed by speculation, and those of them that were said. */
  readonly draftTokens: number
  readonly acceptedTokens: number
  /** Decodes of the draft model, and their time; no part of `steps` and `decodeMs`. */
  readonly draftModelSteps: number
  readonly draftModelMs: number
  readonly running: number
  readonly waiting: number
  readonly parked: number
  readonly preemptions: number
  /** Cells of running sequences. */
  readonly cellsUsed: number
  /** Cells kept as prefixes. */
  readonly cellsCached: number
  /** Prompt tokens that were not computed because they lay in the cache. */
  readonly cachedTokens: number
  /** Threads used by the last step. */
  readonly threads: number
  /** Time between the end of one decode and the start of the next, summed, in ms: what we add to llama.cpp. */
  readonly betweenDecodesMs: number
  readonly decodeMs: number
  /** Calls into JavaScript. */
  readonly deliveries: number
}

/** The cache of a session: its tokens and llama.cpp's state of their keys and values. */
export interface NativeSnapshot {
  readonly tokens: Int32Array
  readonly state: Uint8Array
}

/** Text made of the bytes of tokens. */
export interface AssembledText {
  /** What each piece made showable; last, unless a stop string came, what was held back. */
  readonly texts: readonly string[]
  readonly stopped: boolean
}

/** The addon's exports, in the order of `native/addon.cc`. */
export interface Addon extends ChatAddon, DraftAddon, EmbedderAddon, MediaAddon, QuantizeAddon, SchemaAddon {
  /** Hands over the class that errors are thrown as. */
  initialize(ErrorClass: typeof LlameroError): void
  /** The CPU modules in a folder, best first. */
  cpuModules(directory: string): CpuModule[]
  /** Loads the backends of a folder once per process; `cpuModule` forces one file, '' takes the best. */
  loadBackends(directory: string, cpuModule: string): BackendReport
  createCancelFlag(): NativeCancelFlag
  cancel(flag: NativeCancelFlag): void

  modelLoad(options: NativeLoadOptions, onProgress: (fraction: number) => void): Promise<NativeModel>
  modelInfo(model: NativeModel): NativeModelInfo
  modelClose(model: NativeModel): void
  tokenize(model: NativeModel, parts: readonly NativeTextPart[], options: NativeTokenizeOptions): Promise<Int32Array>
  detokenize(model: NativeModel, tokens: Int32Array, options: NativeDetokenizeOptions): Promise<string>
  /** The bytes of one token. */
  piece(model: NativeModel, token: number): Uint8Array

  /** What is free now; of the main memory the files under `root`/proc and `root`/sys tell. */
  freeMemory(root: string): NativeFreeMemory
  /** What an engine of the model would take; nothing is allocated. `contextSize` does not count. */
  memoryNeed(model: NativeModel, options: NativeEngineOptions): NativeMemoryNeed
  /**
   * Loads a LoRA adapter that was made for the model; the file must have been judged. Adapters with the same `digest`
   * share prefixes, so it must tell what they compute.
   */
  adapterLoad(model: NativeModel, path: string, digest: string): Promise<NativeAdapter>
  /** Makes a control vector: as many numbers as the embedding has for each layer after the first, in order. */
  controlVectorCreate(model: NativeModel, directions: Float32Array, digest: string): NativeAdapter
  /** Idempotent; running requests keep it alive. The engine lets go of it when nothing runs, or with another set. */
  adapterClose(adapter: NativeAdapter, engine: NativeEngine | undefined): Promise<void>

  /** `draftModel` proposes tokens for the requests that want that; it must have the model's vocabulary. */
  engineCreate(
    model: NativeModel,
    options: NativeEngineOptions,
    onNews: (news: NativeNews[]) => void,
    draftModel: NativeModel | undefined,
  ): Promise<NativeEngine>
  engineInfo(engine: NativeEngine): NativeEngineInfo
  /** Queues a request and returns its id, unique per engine. */
  engineSubmit(engine: NativeEngine, request: NativeRequest): number
  engineCancel(engine: NativeEngine, id: number): void
  /** Says that the reader has taken `tokens` tokens in all; -1: it takes everything. */
  engineAcknowledge(engine: NativeEngine, id: number, tokens: number): void
  engineStats(engine: NativeEngine): NativeEngineStats
  engineClose(engine: NativeEngine): Promise<void>

  /** Gives up the prefixes that are kept for nobody in particular, in cells and in main memory. */
  cacheDrop(engine: NativeEngine): Promise<void>
  /** Tokens that are kept for a session; 0 if they had to give way. */
  sessionTokens(engine: NativeEngine, session: number): Promise<number>
  /** Keeps what a session has under another number too, sharing its cells; false if it has nothing. */
  sessionFork(engine: NativeEngine, session: number, fork: number): Promise<boolean>
  /** Cuts what is kept to its first tokens. */
  sessionCut(engine: NativeEngine, session: number, tokens: number): Promise<void>
  /** Keeps it no longer. */
  sessionForget(engine: NativeEngine, session: number): Promise<void>
  /** What is kept, as llama.cpp's own state; undefined if it had to give way. */
  sessionSave(engine: NativeEngine, session: number): Promise<NativeSnapshot | undefined>
  /** The bytes are read while the promise is pending: nobody may change or transfer them until it settles. */
  sessionRestore(engine: NativeEngine, session: number, root: NativeCacheRoot, snapshot: NativeSnapshot): Promise<void>

  /** The engine's pure functions, for property tests. */
  planStep(sequences: readonly PlanSequence[], limits: PlanLimits): Plan
  /** The pace of prompts after one more step; the first step has no pace before it. */
  learnPace(pace: PrefillPace | undefined, step: PaceStep): PrefillPace
  /** Prompt tokens that the coming step may carry. */
  prefillBudget(pace: PrefillPace, limits: BudgetLimits): number
  /** Those that it may carry of prompts that are whole within it. */
  briefBudget(pace: PrefillPace, limits: BudgetLimits): number
  /** How long such a prompt may be, in tokens. */
  briefSize(pace: PrefillPace, limits: BudgetLimits): number
  /** How long prompts may be computed before each step of so many streams where that goes in slices, in ms; 0: unknown. */
  sliceMs(pace: PrefillPace, decodes: number): number
  /** The thread rule after one more step of `cost` ms per unit of work. */
  nextThreads(state: ThreadState, cost: number): ThreadState
  /** Bytes of tokens to whole characters up to the first stop string, as a generation shows them. */
  assembleText(pieces: readonly Uint8Array[], stop: readonly string[]): AssembledText
}
