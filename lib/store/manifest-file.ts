import { open } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import type { Digest } from './digest.js'
import { formatBytes, onDisk, readWithoutWaiting, systemCode } from './disk.js'
import { manifestPath } from './layout.js'
import { manifestLimits, parseManifest, type Layer, type ReadManifest } from './manifest.js'
import { cure, modelNotFound } from './model-fault.js'
import { displayName, type ModelName } from './name.js'

/** A manifest on disk. */
export interface ListedModel {
  readonly name: ModelName
  /** The shortest text that means the name, such as `smollm2:135m`. */
  readonly displayName: string
  /** Hash of the manifest's bytes: the model's ID. */
  readonly manifestDigest: Digest
  readonly config: Layer
  readonly layers: readonly Layer[]
  /** Where the model came from, if that was noted; see {@link Manifest}. */
  readonly annotations: Readonly<Record<string, string>>
  /** All layers and the config together; layers that models share count in each. */
  readonly sizeBytes: number
  readonly modifiedAt: Date
}

/** A model that the store cannot make sense of; the others are not affected. */
export interface StoreWarning {
  readonly name: ModelName
  readonly displayName: string
  /** What is wrong and how to cure it. */
  readonly message: string
}

/** The bytes under a name, whatever they are. */
export interface ManifestFile {
  readonly name: ModelName
  readonly displayName: string
  readonly bytes: Uint8Array
  readonly modifiedAt: Date
}

/** Errors: `ERR_MODEL_NOT_FOUND`, `ERR_MANIFEST_INVALID` for a file too large to be one, `ERR_STORE`. */
export async function readManifestFile(directory: string, name: ModelName): Promise<ManifestFile> {
  const shownName = displayName(name)
  return onDisk({ doing: `read the manifest of ${shownName}`, directory }, async () => {
    const path = manifestPath(directory, name)
    const file = await open(path, readWithoutWaiting).catch((error: unknown) => {
      if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw modelNotFound(shownName, directory)
      throw error
    })
    try {
      const found = await file.stat()
      if (!found.isFile()) throw modelNotFound(shownName, directory)
      if (found.size > manifestLimits.bytes) throw damaged(shownName, `it has ${formatBytes(found.size)}`)
      return { name, displayName: shownName, bytes: await file.readFile(), modifiedAt: found.mtime }
    } finally {
      await file.close()
    }
  })
}

/** What a manifest says, as a model of the list. Errors: `ERR_MANIFEST_INVALID`. */
export function listedModel(file: ManifestFile): ListedModel {
  const { name, displayName: shownName, modifiedAt } = file
  const { manifest, digest } = parseManifestFile(file)
  const { config, layers, annotations = {} } = manifest
  const sizeBytes = layers.reduce((sum, { size }) => sum + size, config.size)
  return { name, displayName: shownName, manifestDigest: digest, config, layers, annotations, sizeBytes, modifiedAt }
}

/** What a manifest says. Errors: `ERR_MANIFEST_INVALID`. */
export function parseManifestFile({ bytes, displayName: shownName }: ManifestFile): ReadManifest {
  try {
    return parseManifest(bytes)
  } catch (error) {
    if (!(error instanceof LlameroError)) throw error
    throw damaged(shownName, error.message, error)
  }
}

function damaged(shownName: string, reason: string, cause?: unknown): LlameroError {
  return new LlameroError('ERR_MANIFEST_INVALID', `The manifest of ${shownName} is damaged: ${reason} ${cure}`, {
    cause,
    details: { model: shownName },
  })
}
