import { invalidMedia } from './fault.js'
import type { ImageSize } from './image-check.js'

const signatureBytes = 8
const headerBytes = 13
/** Length, type and checksum of a chunk. */
const frameBytes = 12

/** The size of a PNG whose chunks are whole, from its header to its end. Throws `ERR_MEDIA_INVALID`. */
export function pngSize(bytes: Uint8Array): ImageSize {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let size: ImageSize | undefined
  let hasData = false
  for (let at = signatureBytes; at + frameBytes <= bytes.length;) {
    const length = view.getUint32(at)
    const type = Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1')
    const next = at + frameBytes + length
    if (next > bytes.length) break
    if (size === undefined) {
      if (type !== 'IHDR' || length !== headerBytes) throw invalidMedia('image', 'the PNG has no header.')
      size = { width: view.getUint32(at + 8), height: view.getUint32(at + 12) }
    }
    if (type === 'IDAT') hasData = true
    if (type === 'IEND') {
      if (hasData) return size
      throw invalidMedia('image', 'the PNG holds no picture.')
    }
    at = next
  }
  throw invalidMedia('image', 'the PNG is cut off.')
}
