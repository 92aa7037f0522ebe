import { LlameroError } from '../errors.js'
import { metadataOverrides, type GgufFile } from '../gguf/index.js'
import { nativeAddon } from '../native.js'
import { mediaTypes, type ListedModel, type Store } from '../store/index.js'
import { judgedFile, type JudgeOptions } from './judged-file.js'

/** Weights that are no numbers, though the file is the one that its digest names. */
export interface DamagedWeights {
  /** The model that they are of, by the shortest text that means it. */
  readonly model: string
  /** What is wrong, for people. */
  readonly message: string
}

/**
 * Loads models of a store to have llama.cpp look at every weight: what is no number, or no value of its type, computes to
 * nothing. Takes as long as loading them does; files that models share are read once.
 *
 * Errors: those of loading, but for what is wrong with the models themselves; the reason of `options.signal`.
 */
export async function checkWeights(
  store: Store,
  models: readonly ListedModel[],
  options: JudgeOptions & { readonly onModel?: (model: string) => void } = {},
): Promise<DamagedWeights[]> {
  const damaged: DamagedWeights[] = []
  const seen = new Set<string>()
  for (const { displayName, layers } of models) {
    for (const { mediaType, digest } of layers) {
      if (mediaType !== mediaTypes.model || seen.has(digest)) continue
      seen.add(digest)
      options.onModel?.(displayName)
      const message = await faultOf(store.blobs.path(digest), options)
      if (message !== undefined) damaged.push({ model: displayName, message })
    }
  }
  return damaged
}

/** The header, checked and tried, and what the trial says of a model that cannot compute: its weights tell why. */
async function tried(path: string, options: JudgeOptions): Promise<{ file: GgufFile; failure: string | undefined }> {
  try {
    return { file: await judgedFile(path, options), failure: undefined }
  } catch (error) {
    if (!(error instanceof LlameroError) || error.code !== 'ERR_ENGINE_CRASHED') throw error
    return { file: await judgedFile(path, { ...options, probe: false }), failure: error.message }
  }
}

const faults: readonly string[] = ['ERR_MODEL_INVALID', 'ERR_MODEL_REJECTED', 'ERR_MODEL_NOT_FOUND', 'ERR_UNSUPPORTED']

async function faultOf(path: string, options: JudgeOptions): Promise<string | undefined> {
  const { signal } = options
  const addon = nativeAddon()
  const cancelFlag = addon.createCancelFlag()
  const cancel = (): void => addon.cancel(cancelFlag)
  signal?.throwIfAborted()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    const { file, failure } = await tried(path, options)
    const kept = { gpuLayers: 0, memoryMap: true, vocabularyOnly: false, checkTensors: true, mtp: false }
    const model = await addon.modelLoad(
      { path, ...kept, metadataOverrides: metadataOverrides(file), cancelFlag },
      () => undefined,
    )
    addon.modelClose(model)
    return failure
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof LlameroError && faults.includes(error.code)) return error.message
    throw error
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}
