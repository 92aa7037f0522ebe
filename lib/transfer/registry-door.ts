import { readFile } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import {
  checkModel,
  displayName,
  mediaTypes,
  parseManifest,
  type Layer,
  type Manifest,
  type ModelName,
  type StoredModel,
} from '../store/index.js'
import { artifactLayers } from './artifact.js'
import { pullBlob } from './blob-download.js'
import { sourceAnnotation, sourceDigestAnnotation } from './package-door.js'
import { tellingRemoval, type PullContext } from './pull-context.js'
import { RegistryClient, type ReceivedManifest } from './registry-client.js'

/** A manifest and where its blobs are to be had. */
export interface ReceivedModel extends ReceivedManifest {
  readonly manifest: Manifest
  readonly client: RegistryClient
}

const mostConfigBytes = 4 * 1024 * 1024

/**
 * Asks a registry what a name stands for. Errors, each with Ollama's words before it: `ERR_MODEL_NOT_FOUND`,
 * `ERR_REGISTRY`, `ERR_MANIFEST_INVALID`, `ERR_DIGEST`, `ERR_UNSUPPORTED`.
 */
export async function receiveManifest(context: PullContext, name: ModelName): Promise<ReceivedModel> {
  context.report({ status: 'pulling manifest' })
  try {
    const client = await openRegistry(context, name)
    const received = await client.manifest()
    return { ...received, client, manifest: parseManifest(received.bytes).manifest }
  } catch (error) {
    if (!(error instanceof LlameroError)) throw error
    const what = error.code === 'ERR_MODEL_NOT_FOUND' ? '' : `${displayName(name)}: `
    throw new LlameroError(error.code, `pull model manifest: ${what}${error.message}`, {
      cause: error.cause,
      details: error.details,
    })
  }
}

/** Gets the blobs of a manifest into the store and then the manifest, byte for byte, under a name. */
export async function pullManifest(context: PullContext, received: ReceivedModel, as: ModelName): Promise<StoredModel> {
  const { store, report } = context
  const { manifest, bytes } = received
  const client = received.client.trying(context.retry)
  const { name } = client
  const artifact = artifactLayers(manifest)
  if (artifact !== undefined) return pullArtifact(context, { ...received, client }, artifact, as)
  requireModel(manifest, name)
  for (const layer of uniqueBlobs([...manifest.layers, manifest.config])) await pullBlob(context, client, layer)
  report({ status: 'verifying sha256 digest' })
  await requireLocal(context, manifest, name)
  report({ status: 'writing manifest' })
  const { name: spelling } = await store.writeManifest(as, bytes, tellingRemoval(context))
  return store.resolve(spelling)
}

// Ollama would find no model in such a manifest, so that the store gets one of its own.
async function pullArtifact(
  context: PullContext,
  { client, digest }: ReceivedModel,
  layers: readonly Layer[],
  as: ModelName,
): Promise<StoredModel> {
  const { store, report, signal } = context
  for (const layer of uniqueBlobs(layers)) await pullBlob(context, client, layer)
  report({ status: 'verifying sha256 digest' })
  for (const layer of layers) {
    if (layer.mediaType === mediaTypes.model) await checkModel(store.blobs.path(layer.digest), signal)
  }
  report({ status: 'writing manifest' })
  const annotations = { [sourceAnnotation]: displayName(client.name), [sourceDigestAnnotation]: digest }
  return store.createModel(as, { layers, annotations, signal, ...tellingRemoval(context) })
}

function openRegistry({ insecure = false, variables, identity, retry, signal }: PullContext, name: ModelName) {
  return RegistryClient.open(name, { insecure, variables, identityPath: identity, retry, signal })
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
