import { resolve } from 'node:path'
import { LlameroError } from '../errors.js'
import type {
  Addon,
  NativeCacheFiles,
  NativeEngineOptions,
  NativeFreeMemory,
  NativeMemoryNeed,
  NativeMetadataOverride,
  NativeModel,
  NativeModelInfo,
} from '../native-types.js'
import { onAbort } from './abort.js'
import { cacheFiles } from './cache-files.js'
import type { VocabularyEnds } from './embed-input.js'
import { Embedder, embedderOptions } from './embedder.js'
import { Engine } from './engine.js'
import { infillTokens, type InfillTokens } from './infill.js'
import { MediaEncoder } from './media-encoder.js'
import { fitMemory } from './memory-fit.js'
import { canGenerate, modelInfo, type ModelInfo } from './model-info.js'
import { withThreads, type ModelPaths, type ModelValues, type PlacedValues } from './model-options.js'
import { canEmbed } from './pooling.js'
import { stateFingerprint } from './state-fingerprint.js'

/** The native objects behind a model. */
export interface OpenedModel {
  readonly addon: Addon
  readonly native: NativeModel
  /** Proposes tokens for it; absent unless it was asked for. */
  readonly draft: NativeModel | undefined
  /** Absent for a model that can't generate. */
  readonly engine: Engine | undefined
  /** Absent for a model that was opened without a projector. */
  readonly media: MediaEncoder | undefined
  /** Absent for a model that gives no vectors. */
  readonly embedder: Embedder | undefined
  readonly info: ModelInfo
  readonly addsBos: boolean
  /** Absent for a model that was not trained to fill in the middle. */
  readonly infill: InfillTokens | undefined
  readonly ends: VocabularyEnds
  readonly setting: ModelSetting
}

/** What of a model's opening decides which saved sessions fit it. */
export interface ModelSetting {
  readonly path: string
  readonly keyType: string
  readonly valueType: string
  readonly llamaTag: string
  /** The file of the trained head whose cells are kept beside the model's; absent without one. */
  readonly headPath?: string
}

const defaultContextSize = 8192
// llama_max_parallel_sequences()
const mostSequences = 256
const cachedSequences = 16
// A recurrent model has a state in memory for each sequence that there could be.
const cachedStates = 2
// llama-cpp.md §10.7
const batchSize = 2048
const microBatchSize = 512
const stepTargetMs = 50

/** Loads the weights and makes the engine; leaves nothing open if it fails or the signal aborts. */
export async function openNative(
  addon: Addon,
  paths: ModelPaths,
  given: ModelValues,
  llamaTag: string,
): Promise<OpenedModel> {
  const { path, draftPath, projector } = paths
  const { signal } = given
  signal?.throwIfAborted()
  const free = addon.freeMemory('/')
  const native = await loadWeights(addon, path, paths.metadataOverrides, given)
  let draft: NativeModel | undefined
  let media: MediaEncoder | undefined
  let engine: Engine | undefined
  try {
    const info = addon.modelInfo(native)
    const options = withThreads(given, info)
    if (draftPath !== undefined) {
      if (!canGenerate(info)) throw doesNotGenerate(info)
      if (options.mtp) throw oneProposes()
      draft = await loadWeights(addon, draftPath, paths.draftMetadataOverrides, {
        ...options,
        mtp: false,
        onProgress: undefined,
      })
    }
    const draftInfo = draft === undefined ? undefined : addon.modelInfo(draft)
    const headPath = options.mtp ? path : draftInfo?.architecture === 'eagle3' ? draftPath : undefined
    const setting = settingOf(path, options, llamaTag, headPath)
    const trained = info.trainedContextSize > 0 ? info.trainedContextSize : Infinity
    signal?.throwIfAborted()
    if (projector !== undefined) {
      if (!canGenerate(info)) throw doesNotGenerate(info)
      media = await MediaEncoder.open(addon, native, projector, { ...options, llamaTag, mostTogether: microBatchSize })
    }
    const sizes = canGenerate(info)
      ? await createEngine(addon, native, { info, options, setting, trained, free, draft })
      : { contextSize: Math.min(options.contextSize ?? defaultContextSize, trained), engine: undefined }
    const { contextSize } = sizes
    engine = sizes.engine
    signal?.throwIfAborted()
    const limit = Math.min(contextSize, engine?.info.contextSize ?? Infinity)
    const embedder = canEmbed(info)
      ? new Embedder(addon, native, embedderOptions(limit, info, options), options.queueLimit + options.parallel)
      : undefined
    const about = modelInfo(info, limit, engine?.info, draftInfo, media?.info)
    return {
      addon,
      native,
      draft,
      engine,
      media,
      embedder,
      info: about,
      addsBos: info.addsBos,
      ends: info,
      infill: infillTokens(info),
      setting,
    }
  } catch (error) {
    await engine?.close()
    media?.close()
    addon.modelClose(native)
    if (draft !== undefined) addon.modelClose(draft)
    throw error
  }
}

function settingOf(
  path: string,
  { keyType, valueType }: ModelValues,
  llamaTag: string,
  headPath: string | undefined,
): ModelSetting {
  const head = headPath === undefined ? {} : { headPath: resolve(headPath) }
  return { path: resolve(path), keyType, valueType, llamaTag, ...head }
}

async function loadWeights(
  addon: Addon,
  path: string,
  metadataOverrides: readonly NativeMetadataOverride[],
  options: ModelValues,
): Promise<NativeModel> {
  const { signal, onProgress } = options
  const cancelFlag = addon.createCancelFlag()
  const unlisten = signal === undefined ? undefined : onAbort(signal, () => addon.cancel(cancelFlag))
  const failures: unknown[] = []
  const report = (fraction: number): void => {
    if (failures.length > 0 || signal?.aborted === true) return
    try {
      onProgress?.(fraction)
    } catch (error) {
      failures.push(error)
      addon.cancel(cancelFlag)
    }
  }
  try {
    const native = await addon.modelLoad(
      {
        path,
        gpuLayers: options.gpuLayers,
        memoryMap: options.memoryMap,
        vocabularyOnly: false,
        checkTensors: false,
        mtp: options.mtp,
        metadataOverrides,
        cancelFlag,
      },
      report,
    )
    if (failures.length === 0) return native
    addon.modelClose(native)
  } catch (error) {
    signal?.throwIfAborted()
    if (failures.length === 0) throw error
  } finally {
    unlisten?.()
  }
  throw failures[0]
}

function keepsStates(info: NativeModelInfo): boolean {
  return info.isRecurrent || info.isHybrid
}

interface EngineSetting {
  readonly info: NativeModelInfo
  readonly options: PlacedValues
  readonly setting: ModelSetting
  readonly trained: number
  readonly free: NativeFreeMemory
  readonly draft: NativeModel | undefined
}

async function createEngine(
  addon: Addon,
  native: NativeModel,
  { info, options, setting, trained, free, draft }: EngineSetting,
): Promise<{ contextSize: number; engine: Engine }> {
  const { parallel } = options
  const wanted = engineOptions(microBatchSize, info, options)
  const { contextSize, cells } = fitMemory({
    contextSize: options.contextSize === undefined ? undefined : Math.min(options.contextSize, trained),
    defaultContextSize: Math.min(defaultContextSize, trained),
    parallel,
    slots: parallel + wanted.cachedSequences,
    need: needOf(addon, [native, ...(draft === undefined ? [] : [draft])], wanted),
    free,
  })
  const files = await cacheFiles(options, () => stateFingerprint(setting, info, cells))
  return { contextSize, engine: await Engine.create(addon, native, engineOptions(cells, info, options, files), draft) }
}

/** A draft model has a cache of the same number of cells. */
function needOf(addon: Addon, models: readonly NativeModel[], options: NativeEngineOptions): NativeMemoryNeed {
  const needs = models.map((model) => addon.memoryNeed(model, options))
  const sum = (key: keyof NativeMemoryNeed): number => needs.reduce((bytes, need) => bytes + need[key], 0)
  return {
    weightsBytes: sum('weightsBytes'),
    cellBytes: sum('cellBytes'),
    sequenceBytes: sum('sequenceBytes'),
    bufferBytes: sum('bufferBytes'),
    bufferCellBytes: sum('bufferCellBytes'),
    gpuShare: Math.min(...needs.map(({ gpuShare }) => gpuShare)),
  }
}

function engineOptions(
  cells: number,
  info: NativeModelInfo,
  options: PlacedValues,
  files?: NativeCacheFiles,
): NativeEngineOptions {
  return {
    contextSize: cells,
    maxSequences: options.parallel,
    cachedSequences: Math.min(keepsStates(info) ? cachedStates : cachedSequences, mostSequences - options.parallel),
    cacheTokens: options.cacheTokens,
    cacheBytes: options.cacheBytes,
    cacheFiles: files,
    batchSize: Math.min(batchSize, cells),
    microBatchSize: Math.min(microBatchSize, cells),
    rollback: options.rollback,
    threads: options.threads,
    adaptThreads: options.adaptThreads,
    flashAttention: options.flashAttention,
    ownKernels: options.kernels === 'llamero',
    keyType: options.keyType,
    valueType: options.valueType,
    queueLimit: options.queueLimit,
    stepTargetMs,
  }
}

/** The engine, or the reason why there is none. */
export function engineOf({ engine, info }: OpenedModel): Engine {
  if (engine !== undefined) return engine
  throw doesNotGenerate(info)
}

function oneProposes(): LlameroError {
  return new LlameroError(
    'ERR_OPTION_INVALID',
    'A draft model and a trained head can not both propose tokens: leave out `draft` or `mtp`.',
    { details: { option: 'mtp' } },
  )
}

function doesNotGenerate({ architecture }: { readonly architecture: string }): LlameroError {
  return new LlameroError(
    'ERR_UNSUPPORTED',
    `A model of the architecture "${architecture}" does not generate text; it is an encoder or a diffusion model.`,
    { details: { architecture } },
  )
}
