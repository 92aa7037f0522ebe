import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { shortDigest, type Layer } from '../store/index.js'
import { blobBytes } from './blob-bytes.js'
import { ByteMeter } from './progress.js'
import type { Elsewhere, RegistryClient, Upload } from './registry-client.js'
import { retrying } from './retry.js'
import type { TransferWork } from './running.js'
import { transferFailure } from './transfer-failure.js'

/** A blob of the store on its way to a registry. */
export interface OutgoingBlob {
  readonly layer: Layer
  readonly path: string
  /** A repository of the same registry that has the blob, as far as we know. */
  readonly mountFrom: string | undefined
  /** Bytes that are sent in one request. */
  readonly chunkBytes: number
}

/** An upload that the registry has opened. */
interface UploadSession {
  readonly location: URL
  /** Bytes that the registry has. */
  readonly offset: number
  /** Of the chunks so far; only Ollama's registry asks for them. */
  readonly md5s: readonly Buffer[]
  readonly isOllamas: boolean
}

const octets = 'application/octet-stream'
// The registry hashes everything before it answers.
const commitIdleMs = 10 * 60_000

/**
 * Sends a blob, unless the registry has it or can take it over from another repository. After an interruption it goes on
 * where the registry says that it stands. Errors: `ERR_REGISTRY`, `ERR_STORE` (the blob cannot be read).
 */
export async function pushBlob(client: RegistryClient, blob: OutgoingBlob, { report }: TransferWork): Promise<void> {
  const { digest, size } = blob.layer
  const status = `pushing ${shortDigest(digest)}`
  const meter = new ByteMeter((news) => report({ status, digest, ...news }))
  report({ status, digest, total: size })
  if (!(await client.hasBlob(digest, size))) {
    const upload = new BlobUpload(client, blob, (bytes) => meter.update(bytes, size))
    await retrying(() => upload.attempt(), {
      retry: client.retry,
      signal: client.signal,
      hasAdvanced: () => upload.takeAdvance(),
    })
  }
  report({ status, digest, total: size, completed: size })
}

class BlobUpload {
  readonly #client: RegistryClient
  readonly #blob: OutgoingBlob
  readonly #onProgress: (bytes: number) => void
  #session: UploadSession | undefined
  #sendsWhole: boolean
  // Not what is sent again, or a registry that forgets each upload would keep us for ever.
  #mostHeld = 0
  #isAdvanced = false

  constructor(client: RegistryClient, blob: OutgoingBlob, onProgress: (bytes: number) => void) {
    this.#client = client
    this.#blob = blob
    this.#onProgress = onProgress
    this.#sendsWhole = blob.layer.size <= blob.chunkBytes
  }

  /** Whether the registry has got more than ever since the last call. */
  takeAdvance(): boolean {
    const isAdvanced = this.#isAdvanced
    this.#isAdvanced = false
    return isAdvanced
  }

  async attempt(): Promise<void> {
    const { size } = this.#blob.layer
    let session = this.#session === undefined ? await this.#begin() : await this.#resume(this.#session)
    if (session === undefined) return
    if (this.#sendsWhole && !session.isOllamas) {
      await this.#sendWhole(session)
      return
    }
    while (session.offset < size) {
      this.#session = session
      session = await this.#sendChunk(session)
      this.#isAdvanced ||= session.offset > this.#mostHeld
      this.#mostHeld = Math.max(this.#mostHeld, session.offset)
    }
    this.#session = session
    await this.#commit(session)
  }

  /** Undefined if the registry has the blob already, from another repository. */
  async #begin(): Promise<UploadSession | undefined> {
    const { layer, mountFrom } = this.#blob
    const url = this.#client.uploadUrl()
    if (mountFrom !== undefined) {
      url.searchParams.set('mount', layer.digest)
      url.searchParams.set('from', mountFrom)
    }
    const response = await this.#client.send(url, { method: 'POST', headers: { 'content-length': '0' } })
    await this.#client.requireStatus(response, 201, 202)
    response.destroy()
    if (response.statusCode === 201) return undefined
    const isOllamas = response.headers['docker-upload-location'] !== undefined
    return { location: nextLocation(url, response), offset: 0, md5s: [], isOllamas }
  }

  async #resume(session: UploadSession): Promise<UploadSession | undefined> {
    if (this.#sendsWhole) return this.#begin()
    const response = await this.#client.get(session.location)
    response.destroy()
    const held = heldBytes(response)
    const isKnown = [200, 202, 204].includes(response.statusCode ?? 0) && held !== undefined
    if (!isKnown || held > this.#blob.layer.size) return this.#begin()
    // Chunks that Ollama's registry hands on are whole or not there; a part of one has no checksum.
    if (session.isOllamas && held !== session.offset) return this.#begin()
    return { ...session, location: nextLocation(session.location, response), offset: held }
  }

  async #sendChunk(session: UploadSession): Promise<UploadSession> {
    const { layer, chunkBytes } = this.#blob
    const { location, offset } = session
    const end = Math.min(layer.size, offset + chunkBytes)
    const { upload, md5 } = this.#body(offset, end)
    const headers = { ...upload.headers, 'content-range': `${offset}-${end - 1}`, 'x-redirect-uploads': '1' }
    const response = await this.#client.send(location, { ...upload, method: 'PATCH', headers })
    if (response.statusCode === 307) {
      const elsewhere = this.#elsewhere(location, response)
      const next = nextLocation(location, response, 'docker-upload-location')
      const md5s = [...session.md5s, await this.#sendElsewhere(elsewhere, offset, end)]
      return { location: next, offset: end, md5s, isOllamas: true }
    }
    const { statusCode: status = 0 } = response
    if (this.#mostHeld === 0 && [404, 405, 415, 501].includes(status)) {
      response.destroy()
      this.#sendsWhole = true
      throw transferFailure('broken', 'The registry takes no chunks.')
    }
    // It has more or less than it said, or nothing any more: asking again would bring the same answer.
    if (status === 416 || status === 404) {
      response.destroy()
      this.#session = undefined
      const what = status === 416 ? 'expected another part of the blob' : 'has forgotten the upload'
      throw transferFailure('broken', `The registry ${what}.`)
    }
    await this.#client.requireStatus(response, 201, 202, 204)
    response.destroy()
    // After a single byte the range is that of an empty upload.
    const held = end === 1 ? end : (heldBytes(response) ?? end)
    if (held <= offset || held > end) {
      throw transferFailure('protocol', 'The registry says that it has another part of the blob than was sent.')
    }
    return { ...session, location: nextLocation(location, response), offset: held, md5s: [...session.md5s, md5()] }
  }

  #elsewhere(from: URL, answer: IncomingMessage): Elsewhere {
    try {
      return this.#client.elsewhere(from, answer)
    } finally {
      answer.destroy()
    }
  }

  #sendElsewhere(elsewhere: Elsewhere, start: number, end: number): Promise<Buffer> {
    return this.#client.again(async () => {
      const { upload, md5 } = this.#body(start, end)
      const response = await this.#client.sendElsewhere(elsewhere, { ...upload, method: 'PUT' })
      await this.#client.requireStatus(response, 200, 201, 202, 204)
      response.destroy()
      return md5()
    })
  }

  async #sendWhole(session: UploadSession): Promise<void> {
    const { size } = this.#blob.layer
    const { upload } = this.#body(0, size)
    await this.#finish(this.#committing(session), { ...upload, method: 'PUT', idleMs: commitIdleMs })
  }

  async #commit(session: UploadSession): Promise<void> {
    const url = this.#committing(session)
    if (session.isOllamas) {
      const etag = createHash('md5').update(Buffer.concat(session.md5s)).digest('hex')
      url.searchParams.set('etag', `${etag}-${session.md5s.length}`)
    }
    await this.#finish(url, { method: 'PUT', headers: { 'content-length': '0' }, idleMs: commitIdleMs })
  }

  #committing({ location }: UploadSession): URL {
    const url = new URL(location)
    url.searchParams.set('digest', this.#blob.layer.digest)
    return url
  }

  async #finish(url: URL, upload: Upload): Promise<void> {
    const response = await this.#client.send(url, upload)
    await this.#client.requireStatus(response, 200, 201, 204)
    response.destroy()
  }

  /** Bytes of the blob as a body, and the checksum of what was sent. */
  #body(start: number, end: number): { readonly upload: Omit<Upload, 'method'>; readonly md5: () => Buffer } {
    const { layer, path } = this.#blob
    const onProgress = this.#onProgress
    let hash = createHash('md5')
    async function* bytes() {
      hash = createHash('md5')
      let sent = start
      for await (const chunk of blobBytes({ digest: layer.digest, path, start, end })) {
        hash.update(chunk)
        onProgress((sent += chunk.length))
        yield chunk
      }
    }
    const body = () => Readable.from(bytes(), { objectMode: false })
    const headers = { 'content-type': octets, 'content-length': String(end - start) }
    return { upload: { headers, ...(end > start && { body }) }, md5: () => hash.digest() }
  }
}

// Uploads stay at the registry: an address elsewhere would be sent our credentials, or our model (CVE-2026-50151).
function nextLocation(
  from: URL,
  { headers }: IncomingMessage,
  ...names: readonly ('docker-upload-location' | 'location')[]
): URL {
  const order = names.length === 0 ? (['docker-upload-location', 'location'] as const) : names
  const text = order.map((name) => headers[name]).find((value) => typeof value === 'string')
  if (text === undefined) return from
  const next = URL.canParse(text, from.href) ? new URL(text, from) : undefined
  if (next?.origin === from.origin && next.username === '' && next.password === '') return next
  throw transferFailure('protocol', 'The registry wants the upload at an address that is not its own.')
}

/** How many bytes of an upload a registry says to have. Docker's says `0-0` of an empty one, as it would of one byte. */
function heldBytes({ headers }: IncomingMessage): number | undefined {
  const last = /^(?:bytes=)?0-(\d{1,16})$/.exec(headers.range ?? '')?.[1]
  if (last === undefined) return undefined
  return Number(last) === 0 ? 0 : Number(last) + 1
}
