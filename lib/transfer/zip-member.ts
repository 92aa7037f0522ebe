import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createInflateRaw } from 'node:zlib'
import type { ZipMember } from './zip-directory.js'
import { transferFailure } from './transfer-failure.js'

/** Where on this machine the bytes of a member lie, still compressed. */
export interface MemberBytes {
  readonly path: string
  /** First byte in that file. */
  readonly start: number
  readonly member: ZipMember
}

/**
 * The content of a member, decoded as it is read. It has exactly the size that the directory states: decoding ends with
 * an `ERR_REGISTRY` one byte behind it, so that a small archive cannot become a large file.
 */
export async function* readMember({ path, start, member }: MemberBytes): AsyncGenerator<Uint8Array> {
  if (member.sizeBytes === 0) return
  const end = start + member.compressedBytes - 1
  const raw = createReadStream(path, { start, end, highWaterMark: 256 * 1024 })
  // The error reaches whoever reads; the callback is only there because pipeline asks for one.
  const decoded =
    member.method === 'stored' ? raw : pipeline(raw, createInflateRaw({ chunkSize: 256 * 1024 }), () => {})
  let size = 0
  try {
    for await (const chunk of decoded as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > member.sizeBytes) throw wrongSize(member)
      yield chunk
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code.startsWith('Z_'))
      throw transferFailure('damaged', 'The package is damaged: it cannot be decompressed.', error)
    throw error
  } finally {
    raw.destroy()
    decoded.destroy()
  }
  if (size !== member.sizeBytes) throw wrongSize(member)
}

function wrongSize(member: ZipMember): Error {
  return transferFailure(
    'damaged',
    `The package is damaged: a file in it does not have the ${member.sizeBytes} bytes that it states.`,
  )
}
