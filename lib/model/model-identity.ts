import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { LlameroError } from '../errors.js'

const pieces = 256
const pieceBytes = 4096
const headBytes = 1 << 20
const firstOfMany = /-00001-of-(\d{5})\.gguf$/

/**
 * A digest that tells models apart without reading gigabytes: SHA-256 over size, beginning (metadata and the start of the
 * vocabulary) and 256 pieces of 4 KiB spread over the file, of every file that the weights are split into. Another
 * fine-tune of the same base differs in nearly all of them.
 */
export async function modelIdentity(path: string): Promise<string> {
  try {
    return await digestOf(filesOf(path))
  } catch (cause) {
    throw new LlameroError('ERR_STORE', 'The file of the model can not be read any more; is it still where it was?', {
      cause,
    })
  }
}

async function digestOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) {
    const handle = await open(file)
    try {
      const { size } = await handle.stat()
      hash.update(`${size};`)
      const head = Buffer.alloc(Math.min(headBytes, size))
      await handle.read(head, 0, head.length, 0)
      hash.update(head)
      const step = Math.max(pieceBytes, Math.floor((size - head.length) / pieces))
      const piece = Buffer.alloc(pieceBytes)
      for (let at = head.length; at < size; at += step) {
        const { bytesRead } = await handle.read(piece, 0, pieceBytes, at)
        hash.update(piece.subarray(0, bytesRead))
      }
    } finally {
      await handle.close()
    }
  }
  return hash.digest('hex')
}

function filesOf(path: string): string[] {
  const count = Number(firstOfMany.exec(path)?.[1] ?? 1)
  return Array.from({ length: count }, (_, index) =>
    path.replace(firstOfMany, `-${String(index + 1).padStart(5, '0')}-of-$1.gguf`),
  )
}
