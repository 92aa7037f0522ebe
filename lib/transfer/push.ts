import {
  displayName,
  parseName,
  sameText,
  withOwnClaims,
  type Layer,
  type ListedModel,
  type ModelName,
  type Store,
} from '../store/index.js'
import { pushBlob } from './blob-upload.js'
import { RegistryClient } from './registry-client.js'
import type { RetryOptions } from './retry.js'
import { runTransfer, type RunningTransfer, type TransferWork } from './running.js'
import { isHeld, wholeModel } from './whole-model.js'

/** How a model is pushed. */
export interface PushOptions {
  /** Stops the push, which rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Ask the registry by plain http, without encryption and without proof of who answers. @default false */
  readonly insecure?: boolean
  /** `HTTPS_PROXY` and its kin, `SSL_CERT_FILE`, `SSL_CERT_DIR`, `DOCKER_CONFIG`; see the options of a pull. @default none */
  readonly variables?: Readonly<Record<string, string | undefined>>
  /** How patiently to try again. */
  readonly retry?: RetryOptions
  /** Path of the ed25519 key by which Ollama's registry knows this machine. @default `~/.ollama/id_ed25519` */
  readonly identity?: string
  /** Bytes of a blob that are sent in one request. @default 100000000 */
  readonly chunkBytes?: number
}

/** A running push, which gives the model's entry in the store. */
export type Push = RunningTransfer<Pick<ListedModel, 'name' | 'displayName' | 'manifestDigest'>>

const usualChunkBytes = 100_000_000

/**
 * Sends a model of the store to the registry that its name says: the blobs that the registry lacks, then the manifest,
 * byte for byte. A push that was interrupted sends no blob again that has arrived. The blobs stay in the store until the
 * push ends, even if the model is removed.
 *
 * Errors: `ERR_MODEL_NOT_FOUND`, `ERR_NAME_INVALID`, `ERR_STORE` (a blob is missing or cannot be read), `ERR_MANIFEST_INVALID`,
 * `ERR_REGISTRY`.
 */
export function push(store: Store, name: ModelName | string, options: PushOptions = {}): Push {
  return runTransfer('push', options.signal, async (work) => {
    work.signal.throwIfAborted()
    const parsed = typeof name === 'string' ? parseName(name) : name
    return withOwnClaims(store, (own) => pushModel(own, parsed, options, work))
  })
}

async function pushModel(store: Store, name: ModelName, options: PushOptions, work: TransferWork) {
  const { insecure = false, variables, retry, identity, chunkBytes = usualChunkBytes } = options
  work.report({ status: 'retrieving manifest' })
  const { manifest, bytes, digest, layers } = await wholeModel(store, name, isHeld)
  const reach = { insecure, variables, retry, identityPath: identity, signal: work.signal }
  const client = await RegistryClient.open(name, reach)
  const sources = await mountSources(store, name)
  for (const layer of layers) {
    const mountFrom = inheritedFrom(layer, name) ?? sources.get(layer.digest)
    await pushBlob(client, { layer, path: store.blobs.path(layer.digest), mountFrom, chunkBytes }, work)
  }
  work.report({ status: 'pushing manifest' })
  await client.putManifest(bytes, manifest.mediaType)
  return { name, displayName: displayName(name), manifestDigest: digest }
}

/** The repository that a layer was inherited from, if it is another one at the same registry. */
function inheritedFrom({ from }: Layer, name: ModelName): string | undefined {
  if (from === undefined) return undefined
  try {
    return repositoryBeside(parseName(from), name)
  } catch {
    // The note of another program; nothing depends on it.
    return undefined
  }
}

/** By digest, repositories of the same registry that models of this store were pulled from or pushed to. */
async function mountSources(store: Store, name: ModelName): Promise<ReadonlyMap<string, string>> {
  const { models } = await store.list()
  return new Map(
    models.flatMap((model) => {
      const repository = repositoryBeside(model.name, name)
      return repository === undefined
        ? []
        : [...model.layers, model.config].map(({ digest }) => [digest, repository] as const)
    }),
  )
}

function repositoryBeside(other: ModelName, name: ModelName): string | undefined {
  const isSame = sameText(other.namespace, name.namespace) && sameText(other.model, name.model)
  return sameText(other.host, name.host) && !isSame ? `${other.namespace}/${other.model}` : undefined
}

/** Where people find a model that was pushed: the page of Ollama's library, or the whole name. */
export function pushedPlace({ host, namespace, model, tag }: ModelName): string {
  if (!/\.ollama\.(ai|com)$/i.test(host)) return `${host}/${namespace}/${model}:${tag}`
  const owner = sameText(namespace, 'library') ? '' : `${namespace}/`
  return `https://ollama.com/${owner}${model}${tag === 'latest' ? '' : `:${tag}`}`
}
