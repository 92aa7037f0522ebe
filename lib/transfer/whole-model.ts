import { LlameroError } from '../errors.js'
import { damagedModel, displayName, type Layer, type ModelName, type ReadManifest, type Store } from '../store/index.js'

/** A model that can leave the store: its manifest, byte for byte, and its blobs. */
export interface WholeModel extends ReadManifest {
  readonly bytes: Uint8Array
  /** Layers and config, each blob once. */
  readonly layers: readonly Layer[]
}

/**
 * Finds a model and sees that its blobs are there in full size.
 * Errors: `ERR_MODEL_NOT_FOUND`, `ERR_MANIFEST_INVALID`, `ERR_STORE` (a blob is missing).
 *
 * @param isThere how a blob is looked at
 */
export async function wholeModel(store: Store, name: ModelName, isThere = isWhole): Promise<WholeModel> {
  const read = await localManifest(store, name)
  const { layers, config } = read.manifest
  const blobs = [...new Map([...layers, config].map((layer) => [layer.digest, layer])).values()]
  for (const layer of blobs) {
    if (await isThere(store, layer)) continue
    throw damagedModel(displayName(name), layer.digest)
  }
  return { ...read, layers: blobs }
}

/** Whether a blob is there in full size. */
export async function isWhole({ blobs }: Store, { digest, size }: Layer): Promise<boolean> {
  return (await blobs.sizeBytes(digest)) === size
}

/** Whether a blob is there in full size, and stays until the store object releases it. */
export async function isHeld(store: Store, layer: Layer): Promise<boolean> {
  try {
    return await store.blobs.hold(layer.digest, layer.size)
  } catch (error) {
    // Somebody else's store, which we may read but not write: its models can be pushed all the same.
    const code = error instanceof LlameroError ? error.details.systemCode : undefined
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw error
    return isWhole(store, layer)
  }
}

async function localManifest(store: Store, name: ModelName) {
  try {
    return await store.readManifest(name)
  } catch (error) {
    if (!(error instanceof LlameroError)) throw error
    throw new LlameroError(error.code, `couldn't retrieve manifest: ${error.message}`, {
      cause: error,
      details: error.details,
    })
  }
}
