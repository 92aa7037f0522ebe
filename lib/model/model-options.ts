import { availableParallelism, freemem } from 'node:os'
import { invalidOption } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { NativeMetadataOverride, NativeModelInfo } from '../native-types.js'
import { parameters } from '../parameters.js'
import { abortSignal, boolean, callback, folder, integer, oneOf } from './option-kinds.js'
import { type OptionTable, type OptionValues, readOptions } from './option-rule.js'

/** How the keys and values of the KV cache are stored. */
export type CacheType = 'f32' | 'f16' | 'bf16' | 'q8_0' | 'q5_1' | 'q5_0' | 'q4_1' | 'q4_0' | 'iq4_nl'

/**
 * How a model is opened. A wrong value rejects with `ERR_OPTION_INVALID`.
 *
 * The KV cache is shared by all sequences and follows memory. It has room for `parallel` requests of `contextSize` tokens,
 * but no more than 32,768 cells in no more bytes than the weights have, or 512 MiB; for two such requests if these are
 * more; in any case for one, and beyond that in no more than a quarter of free memory. `ModelInfo.cacheCells` says how
 * many there are. `ERR_OUT_OF_MEMORY` names the largest `contextSize` that would fit.
 */
export interface ModelOptions {
  /**
   * Most tokens of one request, prompt and answer together: 16 to 16,777,216, cut to the size the model was trained
   * for. @default the trained size, at most 8,192, or less if memory is short
   */
  readonly contextSize?: number | undefined
  /** Requests that run at once, 1 to 256; further ones wait. @default 16 */
  readonly parallel?: number | undefined
  /**
   * Most tokens of ended requests that stay computed while others run, so that a request which begins alike starts behind
   * them; 0 to 16,777,216. Beyond that the latest request's stay until one begins that does not go on from them, which
   * serves a single conversation. What gives way goes to main memory, see `cacheBytes`. On a CPU they slow these down,
   * decodes by some 1 % for each 1,000 tokens (3 % with upstream's kernels), so raise it where prompts share much.
   * @default 0
   */
  readonly cacheTokens?: number | undefined
  /**
   * Main memory for what is computed of ended requests and does not stay in the KV cache, in bytes: 0 (none) to 2⁴⁰.
   * When a request begins with it, it is copied back at the speed of memory. Two conversations that alternate each get
   * their whole past back this way, and a session that had to give way returns. The bytes are taken as they are needed.
   * @default a quarter of the memory that is free, at most 2 GiB
   */
  readonly cacheBytes?: number | undefined
  /**
   * A folder for what main memory has no room for, and for all that is computed when the model is closed: a later process
   * that opens the same model finds its prefixes there. Made if it is missing, for its owner alone; the files hold tokens
   * and keys of the cache as they are. Processes and models may share it. Nothing goes there with `cacheBytes: 0`.
   * @default none
   */
  readonly cacheDirectory?: string | undefined
  /** Most bytes of all files of that folder: 0 to 2⁴⁴; the least recently used leave first. @default 8 GiB */
  readonly cacheDirectoryBytes?: number | undefined
  /**
   * Most compute threads, 1 to 512. Those that have nothing to do wait for it, which takes their cores from others.
   * @default `os.availableParallelism()`; at most 4 where all layers are on a GPU
   */
  readonly threads?: number | undefined
  /** Use fewer threads while other processes take the cores. @default true */
  readonly adaptThreads?: boolean | undefined
  /** Flash attention. @default 'auto' */
  readonly flashAttention?: 'auto' | 'on' | 'off' | undefined
  /**
   * Who computes on the CPU: `'llamero'` takes llamero's own kernels where there are some, for attention and for products
   * with quantised weights; `'upstream'` leaves all to llama.cpp. Both are right, and round differently.
   * @default 'llamero'
   */
  readonly kernels?: 'llamero' | 'upstream' | undefined
  /** Type of the cached keys. @default 'f16' */
  readonly keyType?: CacheType | undefined
  /** Type of the cached values; a quantised type needs flash attention. @default 'f16' */
  readonly valueType?: CacheType | undefined
  /**
   * Layers on GPUs, -1 (all) to 1,000,000, of which one is the layer that makes logits; 0 leaves the GPUs alone. Without
   * a GPU all are on the CPU. See `ModelInfo.gpuLayers`. @default -1
   */
  readonly gpuLayers?: number | undefined
  /** Map the file into memory instead of reading it. @default true */
  readonly memoryMap?: boolean | undefined
  /**
   * Tokens that may be proposed to a model in a step and taken back if it says others, where its memory can't be cut:
   * 0 to 64. Speculation with recurrent and hybrid models needs it, and works with those that llama.cpp can take back
   * (Qwen3.5, LFM2, Nemotron H and others); with others, and with sliding windows, a value above 0 rejects with
   * `ERR_UNSUPPORTED`. Each takes as much memory as the states of all sequences. It means nothing where every token is
   * kept.
   * @default 0, with `mtp` 4
   */
  readonly rollback?: number | undefined
  /**
   * Load the model's trained head (MTP, multi-token prediction) too, which proposes tokens where a request asks for
   * `speculation`. It takes the memory of a layer more, and computes every text besides. `ERR_UNSUPPORTED` if the file
   * has none, or the model is none of those that work with one (Qwen3.5, Qwen3 Next, GLM 4.5, DeepSeek V3, Nemotron H
   * and others). @default false
   */
  readonly mtp?: boolean | undefined
  /** Requests that may wait for their turn, 0 to 100,000; further ones reject with `ERR_QUEUE_FULL`. @default 512 */
  readonly queueLimit?: number | undefined
  /** Cancels loading, which then rejects with `signal.reason`. It has no effect afterwards. @default none */
  readonly signal?: AbortSignal | undefined
  /** Called with the share of the weights that is loaded, 0 to 1. What it throws cancels loading. @default none */
  readonly onProgress?: ((fraction: number) => void) | undefined
}

const cacheTypes: readonly CacheType[] = ['f32', 'f16', 'bf16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0', 'iq4_nl']
const plainTypes: readonly string[] = ['f32', 'f16', 'bf16']

/** Every option of opening a model: unit, range, default and meaning. */
export const modelOptions = {
  contextSize: integer(parameters.num_ctx),
  parallel: integer({ min: 1, max: 256, unit: 'requests', default: 16, doc: 'Requests that run at once.' }),
  cacheTokens: integer({
    min: 0,
    max: 2 ** 24,
    unit: 'tokens',
    default: 0,
    doc: 'Most tokens of ended requests that stay computed while others run.',
  }),
  cacheBytes: integer({
    min: 0,
    max: 2 ** 40,
    unit: 'bytes',
    default: undefined,
    doc: 'Main memory for ended requests; a quarter of what is free, at most 2 GiB, if absent.',
  }),
  cacheDirectory: folder('A folder for what main memory has no room for.'),
  cacheDirectoryBytes: integer({
    min: 0,
    max: 2 ** 44,
    unit: 'bytes',
    default: 2 ** 33,
    doc: 'Most bytes of the files of that folder.',
  }),
  threads: integer(parameters.num_thread),
  adaptThreads: boolean({ default: true, doc: 'Use fewer threads while other processes take the cores.' }),
  flashAttention: oneOf(['auto', 'on', 'off'], { default: 'auto', doc: 'Flash attention.' }),
  kernels: oneOf(['llamero', 'upstream'], { default: 'llamero', doc: 'Whose kernels compute on the CPU.' }),
  keyType: oneOf(cacheTypes, { default: 'f16', doc: 'Type of the cached keys.' }),
  valueType: oneOf(cacheTypes, { default: 'f16', doc: 'Type of the cached values.' }),
  gpuLayers: integer(parameters.num_gpu),
  memoryMap: boolean(parameters.use_mmap),
  rollback: integer({
    min: 0,
    max: 64,
    unit: 'tokens',
    default: undefined,
    doc: 'Tokens that a step can take back where the memory can not be cut; 0 if absent, with `mtp` 4.',
  }),
  mtp: boolean({ default: false, doc: 'Load the trained head too, which proposes tokens.' }),
  queueLimit: integer({ min: 0, max: 100_000, unit: 'requests', default: 512, doc: 'Requests that may wait.' }),
  signal: abortSignal('Cancels loading.'),
  onProgress: callback<(fraction: number) => void>({
    default: undefined,
    doc: 'Called with the share loaded, 0 to 1.',
  }),
} as const satisfies OptionTable & Record<keyof ModelOptions, unknown>

/** {@link ModelOptions} once checked. */
export type ModelValues = OptionValues<typeof modelOptions> & {
  readonly cacheBytes: number
  readonly rollback: number
}

export function readModelOptions(given: unknown): ModelValues {
  const values = readOptions(modelOptions, given, { contextSize: 0, vocabularySize: 0 })
  if (values.flashAttention === 'off' && !plainTypes.includes(values.valueType)) {
    throw invalidOption('valueType', `one of ${plainTypes.join(', ')} without flash attention`, values.valueType)
  }
  return {
    ...values,
    cacheBytes: values.cacheBytes ?? defaultCacheBytes(),
    rollback: values.rollback ?? (values.mtp ? rollbackOfHead : 0),
  }
}

/** {@link ModelValues} once it is known where the layers lie. */
export type PlacedValues = ModelValues & { readonly threads: number }

// What is left to the CPU: to look up the embeddings of a step's tokens.
const mostThreadsBesideGpu = 4

export function withThreads(values: ModelValues, { layers, gpuLayers }: NativeModelInfo): PlacedValues {
  const most = gpuLayers > layers ? mostThreadsBesideGpu : Infinity
  return { ...values, threads: values.threads ?? Math.min(availableParallelism(), most) }
}

const mostCacheBytes = 2 ** 31
// A head foretells the next token well, and each one behind it worse; as many as Ollama proposes.
const rollbackOfHead = 4

/** A quarter of what is free here: under a container's limit that is less than the machine has. */
function defaultCacheBytes(): number {
  // 0 or beyond the machine's memory where there is no limit.
  const limit = process.constrainedMemory()
  const limited = limit > 0 ? Math.max(0, limit - process.memoryUsage.rss()) : Infinity
  return Math.min(mostCacheBytes, Math.floor(Math.min(freemem(), limited) / 4))
}

/** The files of a model and, if it shall have them, of its draft model and its projector. */
export interface ModelPaths {
  readonly path: string
  readonly metadataOverrides: readonly NativeMetadataOverride[]
  readonly draftPath: string | undefined
  readonly draftMetadataOverrides: readonly NativeMetadataOverride[]
  readonly projector: ProjectorSource | undefined
}

/** The encoder of images and audio that belongs to a model. */
export interface ProjectorSource {
  /** A GGUF file. */
  readonly path: string
  /** Tells what the file computes, the same in every process: its SHA-256 in hexadecimal digits. */
  readonly digest: string
}

/** The paths a model is opened from. */
export function checkPaths(source: unknown): ModelPaths {
  type Given = Partial<Omit<ModelPaths, 'path' | 'draftPath'>> & Readonly<Record<'path' | 'draftPath', unknown>>
  const { path, draftPath, metadataOverrides, draftMetadataOverrides, projector } = (source ?? {}) as Given
  return {
    path: checkPath(path, 'path'),
    metadataOverrides: metadataOverrides ?? [],
    draftPath: draftPath === undefined ? undefined : checkPath(draftPath, 'draftPath'),
    draftMetadataOverrides: draftMetadataOverrides ?? [],
    projector: projector && { path: checkPath(projector.path, 'projector.path'), digest: projector.digest },
  }
}

function checkPath(path: unknown, name: string): string {
  if (typeof path !== 'string' || path === '') throw invalidOption(name, 'the path of a GGUF file', path)
  if (path.includes('\0')) throw new LlameroError('ERR_MODEL_NOT_FOUND', 'The path of the model holds a NUL character.')
  return path
}
