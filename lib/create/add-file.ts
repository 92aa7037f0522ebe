import { open } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import { readWithoutWaiting, type Layer, type Store } from '../store/index.js'
import { ByteMeter, type TransferProgress } from '../transfer/index.js'
import type { Scratch } from './scratch.js'

/** What the making of a model works with. */
export interface CreateContext {
  readonly store: Store
  readonly signal: AbortSignal
  readonly report: (news: TransferProgress) => void
  /** Where relative paths start. */
  readonly directory: string
  readonly scratch: Scratch
}

/**
 * Copies a file into the store and gives it its role.
 *
 * @param check a last look at the copy; what it throws keeps the copy out of the store
 * Errors: `ERR_MODEL_INVALID` for what is no regular file, `ERR_DISK_FULL`, `ERR_STORE`.
 */
export async function addFile(
  { store, signal, report }: CreateContext,
  path: string,
  mediaType: string,
  check: (copy: string) => Promise<void>,
): Promise<Layer> {
  // Not waiting: a pipe may have taken the file's place since.
  const file = await open(path, readWithoutWaiting)
  try {
    const found = await file.stat()
    if (!found.isFile())
      throw new LlameroError('ERR_MODEL_INVALID', `Expected ${JSON.stringify(path)} to be a regular file.`)
    await store.requireSpace(found.size, 'copy the model')
    const meter = new ByteMeter((news) => report({ status: 'copying file', ...news }))
    const { digest, sizeBytes } = await store.blobs.ingest(
      file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 }),
      { sizeBytes: found.size, signal, onProgress: (bytes) => meter.update(bytes, found.size), check },
    )
    report({ status: `creating new layer ${digest}` })
    return { mediaType, digest, size: sizeBytes }
  } finally {
    await file.close()
  }
}
