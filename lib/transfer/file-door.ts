import { open } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import {
  checkModel,
  checkName,
  mediaTypes,
  readWithoutWaiting,
  type BlobDescriptor,
  type ModelName,
  type StoredModel,
} from '../store/index.js'
import { plainStem } from './plain-name.js'
import { ByteMeter } from './progress.js'
import { tellingRemoval, type PullContext } from './pull-context.js'

/** Copies a GGUF file of this machine into the store. Errors: `ERR_MODEL_NOT_FOUND`, `ERR_MODEL_INVALID`. */
export async function importFile(context: PullContext, path: string, name: ModelName): Promise<StoredModel> {
  const { store, report, signal } = context
  await checkModel(path, signal)
  const { digest, sizeBytes } = await copyIntoStore(context, path, (copy) => checkModel(copy, signal))
  report({ status: 'verifying sha256 digest' })
  report({ status: 'writing manifest' })
  return store.createModel(name, {
    layers: [{ mediaType: mediaTypes.model, digest, size: sizeBytes }],
    signal,
    ...tellingRemoval(context),
  })
}

/**
 * Copies a file into the store, where its blob is claimed.
 *
 * @param check a last look at the copy; what it throws keeps the copy out of the store
 * Errors: `ERR_MODEL_INVALID` for what is no regular file, `ERR_DISK_FULL`, `ERR_STORE`.
 */
export async function copyIntoStore(
  { store, report, signal }: Pick<PullContext, 'store' | 'report' | 'signal'>,
  path: string,
  check: (copy: string) => Promise<void>,
): Promise<BlobDescriptor> {
  // Not waiting: a pipe may have taken the file's place since.
  const file = await open(path, readWithoutWaiting)
  try {
    const found = await file.stat()
    if (!found.isFile())
      throw new LlameroError('ERR_MODEL_INVALID', `Expected ${JSON.stringify(path)} to be a regular file.`)
    await store.requireSpace(found.size, 'copy the model')
    const meter = new ByteMeter((news) => report({ status: 'copying file', ...news }))
    return await store.blobs.ingest(file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 }), {
      sizeBytes: found.size,
      signal,
      onProgress: (bytes) => meter.update(bytes, found.size),
      check,
    })
  } finally {
    await file.close()
  }
}

/** The name of an imported file: the host is `file`, the model what the file is called without its extension. */
export function fileModelName(path: string): ModelName {
  return checkName({
    scheme: 'https',
    host: 'file',
    namespace: 'library',
    model: plainStem(path),
    tag: 'latest',
  })
}
