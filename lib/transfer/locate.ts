import type { Store, StoredModel } from '../store/index.js'
import { modelNameOf } from './model-name-of.js'
import { parseReference, type Reference } from './reference.js'

/** A model that is on this machine. */
export interface LocatedModel {
  /** The GGUF file. */
  readonly path: string
  /** Its entry in the store; undefined for a file outside of it. */
  readonly model: StoredModel | undefined
}

/**
 * Finds what a reference means on this machine, without a network. A file is used where it lies.
 * Errors: `ERR_MODEL_NOT_FOUND` if it has to be pulled first, and those of `Store.resolve`.
 */
export async function locate(store: Store, reference: Reference | string): Promise<LocatedModel> {
  const source = typeof reference === 'string' ? parseReference(reference) : reference
  if (source.type === 'file') return { path: source.path, model: undefined }
  const model = await store.resolve(modelNameOf(source))
  return { path: model.modelPath, model }
}
