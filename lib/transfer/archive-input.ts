import { open } from 'node:fs/promises'
import { LlameroError } from '../errors.js'

/** The bytes of a file, as long as it is read. Errors: `ERR_MODEL_NOT_FOUND`, `ERR_STORE`. */
export async function* archiveInput(path: string): AsyncGenerator<Uint8Array> {
  const name = JSON.stringify(path)
  const failure = (error: unknown): LlameroError => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown failure'
    if (code === 'ENOENT') return new LlameroError('ERR_MODEL_NOT_FOUND', `There is no file ${name}.`, { cause: error })
    const reason = code === 'EISDIR' ? 'it is a folder' : code
    return new LlameroError('ERR_STORE', `Could not read ${name}: ${reason}.`, { cause: error })
  }
  const file = await open(path, 'r').catch((error: unknown) => {
    throw failure(error)
  })
  try {
    for (;;) {
      // A buffer of its own for each chunk: readers may still hold the one before.
      const buffer = Buffer.allocUnsafe(1024 * 1024)
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null).catch((error: unknown) => {
        throw failure(error)
      })
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}
