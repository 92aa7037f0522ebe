import type { IncomingMessage } from 'node:http'
import type { LookupFunction } from 'node:net'
import { Readable } from 'node:stream'
import { LlameroError } from '../errors.js'
import { digestOf, displayName, manifestLimits, mediaTypes, type Digest, type ModelName } from '../store/index.js'
import type { BlobSource } from './blob-download.js'
import { dockerCredentials, dockerDirectory } from './docker-credentials.js'
import {
  httpGet,
  httpSend,
  lookupBehind,
  redirected,
  refusal,
  type GetOptions,
  type HttpSettings,
  type SendOptions,
} from './http-client.js'
import type { ProxyVariables } from './http-proxy.js'
import { httpSettings } from './http-settings.js'
import { defaultIdentityPath, identityKey } from './identity-key.js'
import { RegistryAuth } from './registry-auth.js'
import { failureOf, readBody } from './response-body.js'
import { retrying, type RetryOptions } from './retry.js'
import { statusFailed, transferFailure } from './transfer-failure.js'

/** How a registry is reached. */
export interface RegistryOptions {
  /** Plain http for every request. */
  readonly insecure: boolean
  readonly variables?: ProxyVariables | undefined
  /** Path of the ed25519 key; Ollama's own if left out. */
  readonly identityPath?: string | undefined
  readonly retry?: RetryOptions | undefined
  readonly signal: AbortSignal
}

/** A manifest as it was received. */
export interface ReceivedManifest {
  readonly bytes: Uint8Array
  readonly digest: Digest
}

/** What is sent to a registry in one go. */
export interface Upload {
  readonly method: 'POST' | 'PUT' | 'PATCH'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: () => Readable
  readonly idleMs?: number
}

/** Where a registry redirects an upload. */
export interface Elsewhere {
  readonly url: URL
  readonly lookup: LookupFunction | undefined
}

const acceptedManifests = [mediaTypes.manifest, mediaTypes.ociManifest].join(', ')
const indexTypes: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]
// What people call Docker's registry is not where it answers.
const apiHosts: ReadonlyMap<string, string> = new Map([
  ['docker.io', 'registry-1.docker.io'],
  ['index.docker.io', 'registry-1.docker.io'],
])
const advice = {
  credentials: 'Log in to the registry with docker login, or check the rights of the account.',
  certificates:
    'Name the file of your certificate authority in SSL_CERT_FILE, or use --insecure for a registry without TLS.',
} as const

/** One repository of a registry that speaks Docker's distribution protocol, also called OCI distribution. */
export class RegistryClient {
  readonly name: ModelName
  readonly settings: HttpSettings
  readonly retry: RetryOptions | undefined
  readonly signal: AbortSignal
  readonly #base: URL

  private constructor(
    name: ModelName,
    base: URL,
    settings: HttpSettings,
    { retry, signal }: Pick<RegistryOptions, 'retry' | 'signal'>,
  ) {
    this.name = name
    this.settings = settings
    this.retry = retry
    this.signal = signal
    this.#base = base
  }

  /** Asks nobody yet. Errors: `ERR_REGISTRY` for plain http that nobody allowed. */
  static async open(name: ModelName, options: RegistryOptions): Promise<RegistryClient> {
    const { insecure, variables = {}, identityPath = defaultIdentityPath() } = options
    if (name.scheme === 'http' && !insecure) {
      throw transferFailure(
        'refused',
        `insecure protocol http: ${displayName(name)} would be transferred without encryption. Allow it with --insecure, or leave the scheme out.`,
      )
    }
    const host = apiHosts.get(name.host.toLowerCase()) ?? name.host
    const address = `${insecure ? 'http' : 'https'}://${host}/v2/${name.namespace}/${name.model}/`
    if (!URL.canParse(address)) {
      throw new LlameroError(
        'ERR_NAME_INVALID',
        `Expected the host of ${displayName(name)} to be one that can be reached.`,
      )
    }
    const base = new URL(address)
    const plain = await httpSettings(variables, advice)
    // Docker keeps the credentials of its own registry under the name that people use.
    const credentialsHost = host === name.host ? host : 'index.docker.io'
    const authorizer = new RegistryAuth({
      registry: base,
      settings: plain,
      identity: {
        credentials: once(() => dockerCredentials(dockerDirectory(variables), credentialsHost)),
        key: (how) => identityKey(identityPath, how),
      },
    })
    return new RegistryClient(name, base, { ...plain, authorizer }, options)
  }

  /** The same client, credentials included, with another patience. */
  trying(retry: RetryOptions | undefined): RegistryClient {
    return new RegistryClient(this.name, this.#base, this.settings, { retry, signal: this.signal })
  }

  blobUrl(digest: Digest): URL {
    return new URL(`blobs/${digest}`, this.#base)
  }

  /** Where {@link pullBlob} gets a blob. */
  blobSource(digest: Digest): BlobSource {
    return { url: this.blobUrl(digest), settings: this.settings, retry: this.retry }
  }

  /** Where uploads begin. */
  uploadUrl(): URL {
    return new URL('blobs/uploads/', this.#base)
  }

  manifestUrl(): URL {
    return new URL(`manifests/${this.name.tag}`, this.#base)
  }

  /** Errors: `ERR_MODEL_NOT_FOUND`, `ERR_REGISTRY`, `ERR_DIGEST`, `ERR_UNSUPPORTED`. */
  async manifest(): Promise<ReceivedManifest> {
    return this.again(async () => {
      const response = await this.get(this.manifestUrl(), { headers: { accept: acceptedManifests } })
      if (response.statusCode === 404) {
        response.destroy()
        throw new LlameroError(
          'ERR_MODEL_NOT_FOUND',
          `file does not exist: ${this.name.host} has no ${displayName(this.name)}. Check the name and the tag.`,
          { details: { model: displayName(this.name) } },
        )
      }
      await this.requireStatus(response, 200)
      const [type = ''] = (response.headers['content-type'] ?? '').split(';')
      const named = response.headers['docker-content-digest']
      const bytes = await readBody(response, { maxBytes: manifestLimits.bytes, signal: this.signal })
      const digest = digestOf(bytes)
      requireOneMeaning(bytes, type.trim().toLowerCase())
      if (typeof named === 'string' && named.startsWith('sha256:') && named !== digest) {
        throw new LlameroError(
          'ERR_DIGEST',
          `The registry says that the manifest has the digest ${named.slice(0, 80)}, but it has ${digest}.`,
        )
      }
      return { bytes, digest }
    })
  }

  /** Whether the registry has a blob of exactly this size. */
  async hasBlob(digest: Digest, sizeBytes: number): Promise<boolean> {
    return this.again(async () => {
      const response = await this.get(this.blobUrl(digest), { method: 'HEAD' })
      response.destroy()
      const length = response.headers['content-length']
      if (response.statusCode === 200) return length === undefined || length === String(sizeBytes)
      if (response.statusCode === 404) return false
      throw statusFailure(response, '')
    })
  }

  /** Puts a manifest under the client's name. Errors: `ERR_REGISTRY`. */
  async putManifest(bytes: Uint8Array, mediaType: string): Promise<void> {
    await this.again(async () => {
      const response = await this.send(this.manifestUrl(), {
        method: 'PUT',
        headers: { 'content-type': mediaType, 'content-length': String(bytes.length) },
        body: () => Readable.from([bytes]),
      })
      await this.requireStatus(response, 200, 201)
      response.destroy()
    })
  }

  /** Gets something, redirects followed, credentials only to the registry itself. */
  get(url: URL, options: Pick<GetOptions, 'method' | 'headers'> = {}): Promise<IncomingMessage> {
    return httpGet(url, { ...options, settings: this.settings, signal: this.signal, idleMs: this.retry?.idleMs })
  }

  /** Sends something to the registry; redirects are the caller's. */
  async send(url: URL, upload: Upload): Promise<IncomingMessage> {
    const response = await httpSend(url, this.#sending(upload))
    const { statusCode: status = 0 } = response
    if (status !== 401 && status !== 403) return response
    const reason = await failureOf(response)
    throw transferFailure('refused', `${refusal(status, this.settings).message} It says: ${reason}`, undefined, status)
  }

  /** Where an answer of the registry redirects to; it must still be open, since its address tells whom we may follow. */
  elsewhere(from: URL, answer: IncomingMessage): Elsewhere {
    const lookup = lookupBehind(from, answer, this.settings)
    return { url: redirected(from, answer.headers.location ?? '', lookup), lookup }
  }

  /** Sends something to where the registry redirects it, without credentials. */
  async sendElsewhere({ url, lookup }: Elsewhere, upload: Upload): Promise<IncomingMessage> {
    const { authorizer: _authorizer, ...settings } = this.settings
    return httpSend(url, { ...this.#sending(upload), settings, lookup })
  }

  /** Tries again what may pass. */
  again<Value>(work: () => Promise<Value>): Promise<Value> {
    return retrying(work, { retry: this.retry, signal: this.signal })
  }

  /** Errors: `ERR_REGISTRY`, in the registry's own words. */
  async requireStatus(response: IncomingMessage, ...expected: readonly number[]): Promise<void> {
    if (!expected.includes(response.statusCode ?? 0)) throw statusFailure(response, await failureOf(response))
  }

  #sending({ idleMs = this.retry?.idleMs, ...upload }: Upload): SendOptions {
    return { ...upload, settings: this.settings, signal: this.signal, idleMs }
  }
}

function statusFailure(response: IncomingMessage, reason: string): LlameroError {
  const words = reason === '' ? '' : `: ${reason}`
  return statusFailed(response, `The registry answered ${response.statusCode ?? 0}${words}`)
}

// One document that two readers take for different things (CVE-2021-41190).
function requireOneMeaning(bytes: Buffer, contentType: string): void {
  const isNamed = [mediaTypes.manifest, mediaTypes.ociManifest, ...indexTypes].includes(contentType)
  const { mediaType } = mediaTypeOf(bytes)
  if (indexTypes.includes(contentType) || (typeof mediaType === 'string' && indexTypes.includes(mediaType))) {
    throw new LlameroError(
      'ERR_UNSUPPORTED',
      'The registry has an index of images for several platforms under this name, not a model.',
    )
  }
  if (isNamed && typeof mediaType === 'string' && mediaType !== contentType) {
    throw new LlameroError(
      'ERR_MANIFEST_INVALID',
      `Expected a manifest of a model, but it is sent as ${contentType} and says of itself that it is something else.`,
    )
  }
}

function mediaTypeOf(bytes: Buffer): { readonly mediaType?: unknown } {
  try {
    const document: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof document === 'object' && document !== null ? document : {}
  } catch {
    return {}
  }
}

function once<Value>(work: () => Promise<Value>): () => Promise<Value> {
  let running: Promise<Value> | undefined
  return () => (running ??= work())
}
