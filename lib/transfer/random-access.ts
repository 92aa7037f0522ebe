import { open, type FileHandle } from 'node:fs/promises'
import type { HttpSettings } from './http-client.js'
import { requestRange } from './byte-range.js'
import { transferFailure } from './transfer-failure.js'

/** Bytes that can be read anywhere, here or on a server. */
export interface RandomAccess {
  readonly sizeBytes: number
  /** Exactly these bytes; a range that does not lie inside is an `ERR_REGISTRY`. */
  read(start: number, length: number): Promise<Buffer>
  close(): Promise<void>
}

/** Longest piece that is read at once. */
const mostBytes = 64 * 1024 * 1024

/** A file on this machine. */
export async function localAccess(path: string): Promise<RandomAccess> {
  const file = await open(path, 'r')
  const { size } = await file.stat()
  return {
    sizeBytes: size,
    read: (start, length) => readFile(file, size, start, length),
    close: () => file.close(),
  }
}

async function readFile(file: FileHandle, size: number, start: number, length: number): Promise<Buffer> {
  requireInside(size, start, length)
  const bytes = Buffer.alloc(length)
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, length - done, start + done)
    if (bytesRead === 0) throw transferFailure('broken', 'The downloaded file ended too early.')
    done += bytesRead
  }
  return bytes
}

/**
 * A file on a server, of which the last bytes are fetched at once. Undefined if the server knows no ranges.
 *
 * @param tailBytes how many
 */
export async function remoteAccess(
  url: URL,
  tailBytes: number,
  options: { readonly settings: HttpSettings; readonly signal?: AbortSignal | undefined },
): Promise<RandomAccess | undefined> {
  const answer = await requestRange(url, { suffix: tailBytes }, options)
  if (answer?.isPartial !== true || answer.totalBytes === undefined) {
    answer?.discard()
    return undefined
  }
  const size = answer.totalBytes
  const tailStart = answer.start
  const tail = await collect(answer.body, size - tailStart)
  return {
    sizeBytes: size,
    async read(start, length) {
      requireInside(size, start, length)
      if (start >= tailStart) return tail.subarray(start - tailStart, start - tailStart + length)
      const part = await requestRange(url, { start, end: start + length - 1 }, options)
      if (part?.isPartial === true) return collect(part.body, length)
      part?.discard()
      throw transferFailure('protocol', 'The server sent another range of the file than was asked for.')
    },
    close: () => Promise.resolve(),
  }
}

async function collect(body: AsyncIterable<Uint8Array>, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  let size = 0
  for await (const chunk of body) {
    bytes.set(chunk.subarray(0, length - size), size)
    size = Math.min(size + chunk.length, length)
    if (size === length) return bytes
  }
  throw transferFailure('broken', 'The server ended the answer too early.')
}

function requireInside(size: number, start: number, length: number): void {
  const isInside =
    Number.isSafeInteger(start) && Number.isSafeInteger(length) && start >= 0 && length >= 0 && start + length <= size
  if (!isInside || length > mostBytes)
    throw transferFailure('protocol', 'The package is damaged: it points outside of itself.')
}
