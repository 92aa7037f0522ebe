import type { IncomingMessage } from 'node:http'
import { LlameroError } from '../errors.js'
import type { BlobSource } from './blob-download.js'
import { httpGet, type Authorizer, type HttpSettings } from './http-client.js'
import type { ProxyVariables } from './http-proxy.js'
import { httpSettings, requireEncryption } from './http-settings.js'
import type { HubFile } from './hub-files.js'
import type { HubReference } from './hub-reference.js'
import { hubToken } from './hub-token.js'
import type { PullContext } from './pull-context.js'
import { failureOf, readBody } from './response-body.js'
import { retrying } from './retry.js'
import { statusFailed, transferFailure } from './transfer-failure.js'

const advice = {
  credentials:
    'Check the name. A private repository, or one with terms to accept on its page, needs your token: set HF_TOKEN, or log in with hf auth login.',
  certificates: 'Name the file of your certificate authority in SSL_CERT_FILE.',
} as const

const usualEndpoint = 'https://huggingface.co'
const mostPages = 50
const mostTextBytes = 1024 * 1024
const mostPageBytes = 16 * 1024 * 1024

type HubContext = Pick<PullContext, 'variables' | 'insecure' | 'retry' | 'signal'>

/** One repository of Hugging Face, or of the mirror that `HF_ENDPOINT` names, at its main revision. */
export class HubClient {
  readonly #reference: HubReference
  readonly #endpoint: URL
  readonly #settings: HttpSettings
  readonly #context: HubContext

  private constructor(reference: HubReference, endpoint: URL, settings: HttpSettings, context: HubContext) {
    this.#reference = reference
    this.#endpoint = endpoint
    this.#settings = settings
    this.#context = context
  }

  /** Asks nobody yet. Errors: `ERR_OPTION_INVALID` and `ERR_REGISTRY` for an endpoint that must not be used. */
  static async open(reference: HubReference, context: HubContext): Promise<HubClient> {
    const { variables = {}, insecure = false } = context
    const endpoint = hubEndpoint(variables)
    requireEncryption(endpoint, insecure)
    const plain = await httpSettings(variables, advice)
    const authorizer = tokenAuthorizer(endpoint, () => hubToken(variables))
    return new HubClient(reference, endpoint, { ...plain, authorizer }, context)
  }

  /** All files. Errors: `ERR_MODEL_NOT_FOUND`, `ERR_REGISTRY`. */
  async files(): Promise<readonly HubFile[]> {
    const { owner, repository } = this.#reference
    const address = new URL(`api/models/${owner}/${repository}/tree/main?recursive=true`, this.#endpoint)
    const files: HubFile[] = []
    for (let page = 0; page < mostPages; page += 1) {
      const { entries, cursor } = await this.#again(() => this.#page(address))
      files.push(...entries)
      if (cursor === undefined) return files
      // Only the place in the list is taken from the answer: it must not lead elsewhere.
      address.searchParams.set('cursor', cursor)
    }
    throw transferFailure('protocol', 'The repository holds more files than a repository of models would.')
  }

  /** Where a file is. */
  source({ path }: HubFile): BlobSource {
    const { owner, repository } = this.#reference
    const file = path.split('/').map(encodeURIComponent).join('/')
    const url = new URL(`${owner}/${repository}/resolve/main/${file}`, this.#endpoint)
    return { url, settings: this.#settings, retry: this.#context.retry }
  }

  /** What a small file says. Errors: `ERR_REGISTRY`. */
  async text(file: HubFile): Promise<Buffer> {
    const { signal, retry } = this.#context
    const { url } = this.source(file)
    return this.#again(async () => {
      const response = await httpGet(url, { settings: this.#settings, signal, idleMs: retry?.idleMs })
      if (response.statusCode !== 200) throw await failed(response)
      return readBody(response, { maxBytes: mostTextBytes, signal })
    })
  }

  async #page(address: URL): Promise<{ readonly entries: readonly HubFile[]; readonly cursor: string | undefined }> {
    const { signal, retry } = this.#context
    const headers = { accept: 'application/json' }
    const response = await httpGet(address, { settings: this.#settings, headers, signal, idleMs: retry?.idleMs })
    if (response.statusCode === 404) {
      response.destroy()
      throw this.#notFound()
    }
    if (response.statusCode !== 200) throw await failed(response)
    const cursor = nextCursor(response.headers.link)
    const body = await readBody(response, { maxBytes: mostPageBytes, signal })
    return { entries: parseTree(body.toString('utf8')), cursor }
  }

  #again<Value>(work: () => Promise<Value>): Promise<Value> {
    const { retry, signal } = this.#context
    return retrying(work, { retry, signal })
  }

  #notFound(): LlameroError {
    const { owner, repository } = this.#reference
    const model = `hf.co/${owner}/${repository}`
    return new LlameroError('ERR_MODEL_NOT_FOUND', `There is no repository ${model}. Check the name.`, {
      details: { model },
    })
  }
}

function hubEndpoint(variables: ProxyVariables): URL {
  const text = variables.HF_ENDPOINT || usualEndpoint
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      'Expected HF_ENDPOINT to be the address of Hugging Face or of a mirror, such as "https://huggingface.co", without credentials.',
    )
  }
  return new URL(`${url.origin}${url.pathname.replace(/\/*$/, '/')}`)
}

/** Gives the token to the endpoint alone, and only once that has refused a request without it. */
function tokenAuthorizer({ origin }: URL, read: () => Promise<string | undefined>): Authorizer {
  let header: string | undefined
  return {
    headerFor: (url) => (url.origin === origin ? header : undefined),
    async answer(url, { authorization }) {
      if (url.origin !== origin) return false
      const token = await read()
      if (token === undefined || authorization === `Bearer ${token}`) return false
      header = `Bearer ${token}`
      return true
    },
  }
}

async function failed(response: IncomingMessage): Promise<LlameroError> {
  const reason = await failureOf(response)
  const words = reason === '' ? '' : `: ${reason}`
  return statusFailed(response, `Hugging Face answered ${response.statusCode ?? 0}${words}`)
}

/** The cursor in a `Link` header such as `<https://…?cursor=x>; rel="next"`. */
function nextCursor(link: string | readonly string[] | undefined): string | undefined {
  const [, address = ''] = /<([^<>]{1,4000})>\s*;\s*rel="?next"?/.exec(String(link ?? '')) ?? []
  return URL.canParse(address, usualEndpoint)
    ? (new URL(address, usualEndpoint).searchParams.get('cursor') ?? undefined)
    : undefined
}

function parseTree(json: string): readonly HubFile[] {
  try {
    const entries = JSON.parse(json) as readonly Readonly<Record<string, unknown>>[]
    return entries.flatMap(({ type, path, size, lfs }) => {
      if (type !== 'file' || typeof path !== 'string' || !Number.isSafeInteger(size)) return []
      if (path.split('/').some((step) => ['', '.', '..'].includes(step))) return []
      const { oid } = (lfs ?? {}) as { readonly oid?: unknown }
      const sha256 = typeof oid === 'string' && /^[0-9a-f]{64}$/i.test(oid) ? oid : undefined
      return [{ path, sizeBytes: Number(size), sha256 }]
    })
  } catch {
    throw transferFailure('protocol', 'The list of files that Hugging Face sent makes no sense.')
  }
}
