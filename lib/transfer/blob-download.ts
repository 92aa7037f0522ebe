import { setMaxListeners } from 'node:events'
import { createReadStream } from 'node:fs'
import { LlameroError } from '../errors.js'
import { shortDigest, type Layer, type PartIdentity } from '../store/index.js'
import { underBlobLock } from './blob-lock.js'
import { requestRange } from './byte-range.js'
import { download } from './download.js'
import { ByteMeter } from './progress.js'
import type { HttpSettings } from './http-client.js'
import type { PullContext } from './pull-context.js'
import { retrying, type RetryOptions } from './retry.js'

/** Where the bytes of a blob are to be had. */
export interface BlobSource {
  readonly url: URL
  readonly settings: HttpSettings
  readonly retry?: RetryOptions | undefined
  /** What the server said of the very file that is meant; an answer that says something else is another file's. */
  readonly validator?: string | undefined
}

/** What bytes are collected for: their own digest, or a name for them where that is not known before they are here. */
export type BlobTarget = Pick<Layer, 'digest' | 'size'>

/** A piece of a blob that is fetched by itself. */
export interface BlobPart {
  /** First byte. */
  readonly start: number
  /** Bytes. */
  readonly length: number
}

const mostConnections = 16
const partLimits = { least: 100_000_000, most: 1_000_000_000 } as const

/** Cuts a blob into parts, by default as Ollama does. */
export function planParts(sizeBytes: number, partBytes?: number): readonly BlobPart[] {
  const { least, most } = partLimits
  const length = partBytes ?? Math.min(most, Math.max(least, Math.ceil(sizeBytes / mostConnections)))
  return Array.from({ length: Math.ceil(sizeBytes / length) }, (_, index) => ({
    start: index * length,
    length: Math.min(length, sizeBytes - index * length),
  }))
}

/**
 * Gets a blob into the store, verified. One that is here already is hashed, not believed; what an earlier
 * pull kept is gone on with, and dropped once if the whole then has another digest.
 * Errors: `ERR_REGISTRY`, `ERR_DIGEST`, `ERR_DISK_FULL`, `ERR_STORE`.
 */
export async function pullBlob(context: PullContext, source: BlobSource, layer: BlobTarget): Promise<void> {
  const { store, report, signal } = context
  const { digest, size } = layer
  const status = `pulling ${shortDigest(digest)}`
  await underBlobLock(context, digest, async () => {
    const isHere = (await store.blobs.sizeBytes(digest)) === size && (await store.blobs.claim(digest, { signal }))
    if (!isHere) {
      report({ status, digest, total: size })
      await fetchBlob(context, source, layer)
      await store.partials.removeAll(digest)
    }
    report({ status, digest, total: size, completed: size })
  })
}

async function fetchBlob(context: PullContext, source: BlobSource, layer: BlobTarget): Promise<void> {
  const { store, signal } = context
  const { digest, size } = layer
  for (;;) {
    const kept = await store.partials.totalBytes(digest)
    try {
      const bytes = await fetchParts(context, source, layer)
      await store.blobs.ingest(bytes, { digest, sizeBytes: size, signal })
      return
    } catch (error) {
      if (!(error instanceof LlameroError) || error.code !== 'ERR_DIGEST') throw error
      await store.partials.removeAll(digest)
      if (kept === 0) throw mismatch(layer, error)
    }
  }
}

/**
 * Fetches what an earlier try did not keep, in parts at the same time, and hands back the whole as it lies on disk. The
 * caller holds the lock of the digest, verifies, and removes the parts. Errors: `ERR_REGISTRY`, `ERR_DISK_FULL`, `ERR_STORE`.
 */
export async function fetchParts(
  context: PullContext,
  source: BlobSource,
  { digest, size }: BlobTarget,
): Promise<AsyncIterable<Uint8Array>> {
  const { store, report, partBytes } = context
  const kept = await store.partials.totalBytes(digest)
  // Twice: the parts, and the blob that they are joined to.
  await store.requireSpace(Math.max(0, size - kept) + size, 'download the model')
  const parts = await partsFor(source, planParts(size, partBytes), size, context.signal)
  const stopping = new AbortController()
  const signal = AbortSignal.any([context.signal, stopping.signal])
  // Node warns of a leak where more than ten requests listen.
  setMaxListeners(0, signal)
  const meter = new ByteMeter((news) => report({ status: `pulling ${shortDigest(digest)}`, digest, ...news }))
  const identities = parts.map((range, index): PartIdentity => ({ index, source: digest, range }))
  const completed = await Promise.all(identities.map((part) => store.partials.sizeBytes(digest, part)))
  const fetchPart = async (part: PartIdentity, range: BlobPart): Promise<void> => {
    const partial = await store.partials.open(digest, part, range.length, size)
    try {
      const onProgress = (bytes: number) => {
        completed[part.index] = bytes
        meter.update(
          completed.reduce((sum, one) => sum + one, 0),
          size,
        )
      }
      const { url, settings, validator, retry } = source
      const options = { settings, ...range, validator, maxBytes: size, onProgress, signal, ...(retry && { retry }) }
      await download(url, partial, options)
    } finally {
      await partial.close()
    }
  }
  const waiting = identities.values()
  // The first failure ends the others, and is the one that is told.
  let failure: { readonly error: unknown } | undefined
  const worker = async (): Promise<void> => {
    for (const part of waiting) {
      await fetchPart(part, parts[part.index] ?? { start: 0, length: 0 }).catch((error: unknown) => {
        failure ??= { error }
        stopping.abort()
      })
      if (failure !== undefined) return
    }
  }
  await Promise.all(Array.from({ length: Math.min(mostConnections, parts.length) }, worker))
  if (failure !== undefined) throw failure.error
  return joined(identities.map((part) => store.partials.path(digest, part)))
}

/** The parts to fetch: one, where the server sends whole files only. */
async function partsFor(
  { url, settings, retry }: BlobSource,
  parts: readonly BlobPart[],
  sizeBytes: number,
  signal: AbortSignal,
): Promise<readonly BlobPart[]> {
  if (parts.length <= 1) return parts
  const answer = await retrying(
    () => requestRange(url, { start: 0, end: 0 }, { settings, signal, idleMs: retry?.idleMs }),
    { retry, signal },
  )
  answer?.discard()
  return answer?.isPartial === true ? parts : [{ start: 0, length: sizeBytes }]
}

async function* joined(paths: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const path of paths) {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) yield chunk as Uint8Array
  }
}

function mismatch({ digest }: BlobTarget, cause: LlameroError): LlameroError {
  const { actual } = cause.details
  const found = typeof actual === 'string' ? `got ${actual}` : cause.message
  return new LlameroError(
    'ERR_DIGEST',
    `digest mismatch, file must be downloaded again: want ${digest}, ${found}. Nothing of it was kept.`,
    { cause, details: cause.details },
  )
}
