import { LlameroError } from '../errors.js'
import type { GgufFile } from '../gguf/index.js'
import {
  damagedModel,
  mediaTypes,
  type Layer,
  type ModelDetails,
  type ModelName,
  type StoredModel,
} from '../store/index.js'
import { locate, parseReference, pull, type PullOptions, type Reference } from '../transfer/index.js'
import type { CreateContext } from './add-file.js'

/** How a base model that the store lacks is fetched. */
export type BasePullOptions = Omit<PullOptions, 'signal' | 'name'>

/** The model that a new one is made from, held in the store until the new one is written. */
export interface BaseModel {
  readonly details: ModelDetails
  /** Its weights in the store. */
  readonly weights: { readonly path: string; readonly header: GgufFile }
  /** Its layers, each with the base's name as where it came from. */
  readonly layers: readonly Layer[]
}

/** Finds a model by its name, or pulls it. Errors: those of a pull; `ERR_UNSUPPORTED` for one without GGUF weights. */
export async function readBase(context: CreateContext, text: string, options: BasePullOptions): Promise<BaseModel> {
  const { store, signal, report } = context
  const name = await findOrPull(context, parseReference(text), options)
  const details = await store.show(name, { signal })
  const model = details.layers.find(({ mediaType }) => mediaType === mediaTypes.model)
  const { header } = details
  if (model === undefined || header === undefined) {
    throw new LlameroError('ERR_UNSUPPORTED', `${details.displayName} has no GGUF weights; only Ollama can use it.`, {
      details: { model: details.displayName },
    })
  }
  const layers: Layer[] = []
  for (const layer of details.layers) {
    // Whoever removes the base meanwhile leaves these blobs.
    if (!(await store.blobs.hold(layer.digest, layer.size))) throw damagedModel(details.displayName, layer.digest)
    report({ status: `using existing layer ${layer.digest}` })
    layers.push({ ...layer, from: details.displayName })
  }
  return { details, weights: { path: store.blobs.path(model.digest), header }, layers }
}

async function findOrPull(
  { store, signal, report }: CreateContext,
  reference: Reference,
  options: BasePullOptions,
): Promise<ModelName> {
  try {
    const { model } = await locate(store, reference)
    if (model !== undefined) return model.name
  } catch (error) {
    if (!(error instanceof LlameroError) || error.code !== 'ERR_MODEL_NOT_FOUND') throw error
  }
  const pulling = pull(store, reference, { ...options, signal })
  for await (const news of pulling) if (news.status !== 'success') report(news)
  const { name }: StoredModel = await pulling
  return name
}
