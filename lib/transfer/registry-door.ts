import { LlameroError } from '../errors.js'
import { displayName, parseManifest, type Manifest, type ModelName, type StoredModel } from '../store/index.js'
import { pullBlob } from './blob-download.js'
import type { PullContext } from './pull-context.js'
import { checkBlobs, neededBlobs, storeManifest } from './received-manifest.js'
import { RegistryClient, type ReceivedManifest } from './registry-client.js'

/** A manifest and where its blobs are to be had. */
export interface ReceivedModel extends ReceivedManifest {
  readonly manifest: Manifest
  readonly client: RegistryClient
}

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

/** Gets the blobs of a manifest into the store and then the manifest under a name; see {@link storeManifest}. */
export async function pullManifest(context: PullContext, received: ReceivedModel, as: ModelName): Promise<StoredModel> {
  const client = received.client.trying(context.retry)
  const { name } = client
  for (const layer of neededBlobs(received.manifest, name))
    await pullBlob(context, client.blobSource(layer.digest), layer)
  context.report({ status: 'verifying sha256 digest' })
  await checkBlobs(context, received.manifest, name)
  context.report({ status: 'writing manifest' })
  return storeManifest(context, received, { name, as })
}

function openRegistry({ insecure = false, variables, identity, retry, signal }: PullContext, name: ModelName) {
  return RegistryClient.open(name, { insecure, variables, identityPath: identity, retry, signal })
}
