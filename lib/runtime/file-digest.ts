import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { LlameroError } from '../errors.js'

/** SHA-256 of a file in hexadecimal digits. Rejects with `ERR_STORE`, or the reason of the signal. */
export async function digestOf(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20 })) {
      signal?.throwIfAborted()
      hash.update(bytes as Uint8Array)
    }
  } catch (cause) {
    signal?.throwIfAborted()
    throw new LlameroError('ERR_STORE', `The file ${path} could not be read; is it still there?`, { cause })
  }
  return hash.digest('hex')
}
