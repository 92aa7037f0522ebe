import { createReadStream } from 'node:fs'
import { LlameroError } from '../errors.js'
import type { Digest } from '../store/index.js'

/** A part of a blob in the store. */
export interface BlobPart {
  readonly digest: Digest
  readonly path: string
  /** First byte. */
  readonly start: number
  /** Behind the last byte. */
  readonly end: number
}

const chunkBytes = 256 * 1024

/**
 * Reads a part of a blob. Whatever keeps it from being read is a failure of the store, which no other try at the network
 * mends. Errors: `ERR_STORE`.
 */
export async function* blobBytes({ digest, path, start, end }: BlobPart): AsyncGenerator<Buffer, void> {
  if (start === end) return
  let at = start
  try {
    for await (const chunk of createReadStream(path, { start, end: end - 1, highWaterMark: chunkBytes })) {
      at += (chunk as Buffer).length
      yield chunk as Buffer
    }
  } catch (cause) {
    const { code = 'no reason given' } = cause as NodeJS.ErrnoException
    throw unreadable(digest, code, cause)
  }
  if (at !== end) throw unreadable(digest, 'it is cut off')
}

function unreadable(digest: Digest, reason: string, cause?: unknown): LlameroError {
  return new LlameroError(
    'ERR_STORE',
    `The blob ${digest} of the model store could not be read (${reason}). Check the disk, or pull the model again.`,
    { cause, details: { digest } },
  )
}
