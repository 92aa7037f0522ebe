import { LlameroError } from '../errors.js'
import type { ByteSource } from './byte-source.js'
import { invalidModel } from './fault.js'
import type { ReadGgufOptions } from './gguf-file.js'

const mostRedirects = 5
const firstRange = 256 * 1024
const largestRange = 4 * 1024 * 1024

/** What a server says about the file with each answer; it must not change between two ranges. */
interface Answer {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>
  /** First byte that is not sent any more. */
  readonly end: number
  readonly sizeBytes: number
  readonly version: string
}

/** A file on a server, of which the beginning is fetched as it is read. Errors: those of `readGguf` for addresses. */
export async function openRemote(url: URL, options: ReadGgufOptions): Promise<ByteSource> {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new LlameroError('ERR_OPTION_INVALID', `Expected an address with http: or https:, but got ${url.protocol}`)
  }
  const source = new RemoteFile(url, options)
  await source.open()
  return source
}

class RemoteFile implements ByteSource {
  readonly #url: URL
  readonly #options: ReadGgufOptions
  readonly #end = new AbortController()
  readonly #signal: AbortSignal
  #answer: Answer | undefined
  #piece: Uint8Array = new Uint8Array(0)
  #position = 0
  #range = firstRange

  constructor(url: URL, options: ReadGgufOptions) {
    this.#url = url
    this.#options = options
    const { signal } = options
    this.#signal = signal === undefined ? this.#end.signal : AbortSignal.any([signal, this.#end.signal])
  }

  get sizeBytes(): number {
    return this.#answer?.sizeBytes ?? 0
  }

  async open(): Promise<void> {
    try {
      this.#answer = await this.#ask(0)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async read(target: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    if (position !== this.#position) throw new LlameroError('ERR_INTERNAL', 'A remote header is read forward only.')
    while (this.#piece.length === 0) {
      const answer = this.#answer
      if (answer === undefined || this.#position >= answer.sizeBytes) return 0
      if (this.#position === answer.end) {
        await answer.reader.cancel()
        this.#answer = await this.#ask(this.#position, answer)
        continue
      }
      const { value, done } = await this.#patiently(() => answer.reader.read())
      if (done) throw badAnswer('ended its answer before the bytes that it had announced')
      this.#piece = value.subarray(0, answer.end - this.#position)
    }
    const count = Math.min(length, this.#piece.length)
    target.set(this.#piece.subarray(0, count), offset)
    this.#piece = this.#piece.subarray(count)
    this.#position += count
    return count
  }

  /** Hangs up: what the server still sends is not read. */
  async close(): Promise<void> {
    await this.#answer?.reader.cancel().catch(() => undefined)
    this.#end.abort()
  }

  async #ask(from: number, before?: Answer): Promise<Answer> {
    const last = Math.min(from + this.#range, before?.sizeBytes ?? Infinity) - 1
    this.#range = Math.min(this.#range * 2, largestRange)
    const response = await this.#get(`bytes=${from}-${last}`)
    const { status, headers, body } = response
    try {
      checkStatus(status)
      if (body === null) throw badAnswer('sent no file')
      const encoding = headers.get('content-encoding') ?? 'identity'
      if (encoding !== 'identity') throw badAnswer('sent an encoded body where plain bytes were asked for')
      const { end, sizeBytes } = status === 206 ? rangeOf(headers, from, last) : wholeOf(headers, from)
      const version = headers.get('etag') ?? headers.get('last-modified') ?? ''
      if (before !== undefined && (before.sizeBytes !== sizeBytes || before.version !== version)) {
        throw badAnswer('changed the file while it was being read')
      }
      return { reader: body.getReader(), end, sizeBytes, version }
    } catch (error) {
      await body?.cancel().catch(() => undefined)
      throw error
    }
  }

  async #get(range: string): Promise<Response> {
    const ask = this.#options.fetch ?? globalThis.fetch
    let url = withoutCredentials(this.#url)
    for (let hops = 0; hops <= mostRedirects; hops++) {
      const own = url.origin === this.#url.origin ? { ...credentialsOf(this.#url), ...this.#options.headers } : {}
      const headers = { ...own, range, 'accept-encoding': 'identity' }
      const request = { headers, redirect: 'manual', signal: this.#signal } as const
      const address = url
      const response = await this.#patiently(() => ask(address, request))
      const location = response.headers.get('location')
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response
      await response.body?.cancel()
      url = redirected(url, location)
    }
    throw badAnswer(`redirected more than ${mostRedirects} times`)
  }

  /** Waits as long as the server may be silent, and makes errors ours. */
  async #patiently<Value>(work: () => Promise<Value>): Promise<Value> {
    const { signal, idleMs = 30_000 } = this.#options
    signal?.throwIfAborted()
    const silent = new LlameroError('ERR_TIMEOUT', `The server of the model sent nothing for ${idleMs} ms.`, {
      details: { idleMs },
    })
    const timer = setTimeout(() => this.#end.abort(silent), idleMs)
    try {
      return await work()
    } catch (cause) {
      signal?.throwIfAborted()
      if (this.#end.signal.aborted) throw silent
      throw new LlameroError('ERR_REGISTRY', `The server of the model could not be reached or hung up${why(cause)}.`, {
        cause,
      })
    } finally {
      clearTimeout(timer)
    }
  }
}

function why(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  const code = inner instanceof Error && 'code' in inner && typeof inner.code === 'string' ? inner.code : undefined
  return code === undefined ? '' : ` (${code})`
}

function badAnswer(found: string): LlameroError {
  return new LlameroError('ERR_REGISTRY', `The server of the model ${found}.`)
}

function checkStatus(status: number): void {
  if (status === 200 || status === 206) return
  if (status === 404 || status === 410) {
    throw new LlameroError('ERR_MODEL_NOT_FOUND', `The server has no file at this address (${status}); check it.`, {
      details: { status },
    })
  }
  if (status === 416) throw invalidModel('the file on the server is empty.')
  const found = status === 401 || status === 403 ? `refused access (${status})` : `answered with status ${status}`
  throw new LlameroError('ERR_REGISTRY', `The server of the model ${found}.`, { details: { status } })
}

/** A part of the file, which must be the one that was asked for. */
function rangeOf(headers: Headers, from: number, last: number): { end: number; sizeBytes: number } {
  const [, start, stop, total] =
    /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(headers.get('content-range') ?? '') ?? []
  const [begin, end, sizeBytes] = [Number(start), Number(stop) + 1, Number(total)]
  if (begin === from && end > from && end <= last + 1 && end <= sizeBytes) return { end, sizeBytes }
  throw badAnswer('answered with another range than the one asked for')
}

/** The whole file, from a server that knows no ranges. */
function wholeOf(headers: Headers, from: number): { end: number; sizeBytes: number } {
  if (from > 0) throw badAnswer('stopped answering with ranges')
  const length = headers.get('content-length')
  if (length === null || !/^\d{1,15}$/.test(length)) throw badAnswer('does not tell the size of the file')
  const sizeBytes = Number(length)
  if (sizeBytes === 0) throw invalidModel('the file on the server is empty.')
  return { end: sizeBytes, sizeBytes }
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const isPlainer = from.protocol === 'https:' && to?.protocol === 'http:'
  if (to === undefined || isPlainer || !['https:', 'http:'].includes(to.protocol)) {
    throw badAnswer('redirected to an address that must not be followed')
  }
  return withoutCredentials(to)
}

/** fetch refuses addresses with a name and a password in them. */
function withoutCredentials(url: URL): URL {
  const plain = new URL(url)
  plain.username = plain.password = ''
  return plain
}

function credentialsOf({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` }
}
