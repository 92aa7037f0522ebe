import { readFile } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import {
  checkModel,
  displayName,
  mediaTypes,
  type Digest,
  type Layer,
  type Manifest,
  type ModelName,
  type StoredModel,
} from '../store/index.js'
import { artifactLayers } from './artifact.js'
import { sourceAnnotation, sourceDigestAnnotation } from './package-door.js'
import { tellingRemoval, type PullContext } from './pull-context.js'

const mostConfigBytes = 4 * 1024 * 1024

/**
 * The blobs that must be in the store before the manifest is written, each once; those of a plain GGUF artifact that
 * have no counterpart are not needed. Errors: `ERR_UNSUPPORTED` for what holds no model, `ERR_MANIFEST_INVALID`.
 */
export function neededBlobs(manifest: Manifest, name: ModelName): readonly Layer[] {
  const artifact = artifactLayers(manifest)
  if (artifact !== undefined) return uniqueBlobs(artifact)
  requireModel(manifest, name)
  return uniqueBlobs([...manifest.layers, manifest.config])
}

/**
 * Looks into blobs that have arrived, before their manifest gets a name.
 * Errors: `ERR_MODEL_INVALID`, `ERR_MANIFEST_INVALID`, `ERR_UNSUPPORTED` for a model that runs on another machine.
 */
export async function checkBlobs(context: PullContext, manifest: Manifest, name: ModelName): Promise<void> {
  const { store, signal } = context
  const artifact = artifactLayers(manifest)
  if (artifact === undefined) return requireLocal(context, manifest, name)
  for (const layer of artifact) {
    if (layer.mediaType === mediaTypes.model) await checkModel(store.blobs.path(layer.digest), signal)
  }
}

/**
 * Puts a manifest whose blobs are in the store under a name, byte for byte. Ollama would find no model in that of a
 * plain GGUF artifact, so that the store gets one of its own, which notes where it came from.
 */
export async function storeManifest(
  context: PullContext,
  received: { readonly manifest: Manifest; readonly bytes: Uint8Array; readonly digest: Digest },
  { name, as }: { readonly name: ModelName; readonly as: ModelName },
): Promise<StoredModel> {
  const { store, signal } = context
  const layers = artifactLayers(received.manifest)
  if (layers !== undefined) {
    const annotations = { [sourceAnnotation]: displayName(name), [sourceDigestAnnotation]: received.digest }
    return store.createModel(as, { layers, annotations, signal, ...tellingRemoval(context) })
  }
  const { name: spelling } = await store.writeManifest(as, received.bytes, tellingRemoval(context))
  return store.resolve(spelling)
}

function uniqueBlobs(layers: readonly Layer[]): readonly Layer[] {
  const blobs = new Map<string, Layer>()
  for (const layer of layers) {
    const known = blobs.get(layer.digest)
    if (known !== undefined && known.size !== layer.size)
      throw new LlameroError('ERR_MANIFEST_INVALID', `The manifest gives the blob ${layer.digest} two sizes.`)
    blobs.set(layer.digest, known ?? layer)
  }
  return [...blobs.values()]
}

function requireModel({ layers }: Manifest, name: ModelName): void {
  if (layers.some(({ mediaType }) => mediaType === mediaTypes.model)) return
  const kinds = [...new Set(layers.map(({ mediaType }) => mediaType.slice(0, 100)))].slice(0, 5).join(', ')
  throw new LlameroError(
    'ERR_UNSUPPORTED',
    `Expected ${displayName(name)} to hold a GGUF model, but its layers are: ${kinds === '' ? 'none' : kinds}.`,
  )
}

// A config may send requests to another machine instead of naming weights; that is Ollama's cloud.
async function requireLocal({ store }: PullContext, { config }: Manifest, name: ModelName): Promise<void> {
  if (config.size > mostConfigBytes)
    throw new LlameroError('ERR_MANIFEST_INVALID', 'The config of the model is too large.')
  const text = await readFile(store.blobs.path(config.digest), 'utf8')
  if (!isRemote(text)) return
  throw new LlameroError(
    'ERR_UNSUPPORTED',
    `${displayName(name)} runs on another machine; llamero runs models on this machine only.`,
  )
}

function isRemote(config: string): boolean {
  try {
    const document: unknown = JSON.parse(config)
    return Object.entries(document ?? {}).some(([key, value]) => /^remote_(host|model)$/i.test(key) && value !== '')
  } catch (cause) {
    throw new LlameroError('ERR_MANIFEST_INVALID', 'Expected the config of the model to be JSON.', { cause })
  }
}
