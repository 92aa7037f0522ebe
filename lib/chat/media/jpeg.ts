import { invalidMedia } from './fault.js'
import type { ImageSize } from './image-check.js'

// Markers of ITU T.81: what follows 0xFF.
const startOfScan = 0xda
const endOfImage = 0xd9
const lastRestart = 0xd7
const firstRestart = 0xd0
const temporary = 0x01
/** Frames that are not Huffman coded baseline, extended or progressive; C4, C8 and CC are no frames. */
const frames = { decoded: [0xc0, 0xc1, 0xc2], others: [0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf] }

/** The size of a JPEG that goes on to its end mark: decoders fill up what is missing with grey. Throws `ERR_MEDIA_INVALID`. */
export function jpegSize(bytes: Uint8Array): ImageSize {
  let size: ImageSize | undefined
  let scanned = false
  for (let at = 2; at + 1 < bytes.length;) {
    if (bytes[at] !== 0xff) throw invalidMedia('image', 'the JPEG is damaged.')
    const marker = bytes[at + 1] ?? 0
    if (marker === 0xff) {
      at++ // fill
      continue
    }
    if (marker === endOfImage) {
      if (size !== undefined && scanned) return size
      throw invalidMedia('image', 'the JPEG holds no picture.')
    }
    if (marker === temporary || (marker >= firstRestart && marker <= lastRestart)) {
      at += 2
      continue
    }
    const length = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
    const next = at + 2 + length
    if (length < 2 || next > bytes.length) break
    if (frames.others.includes(marker)) throw invalidMedia('image', 'its JPEG coding is rare; save it anew.')
    if (frames.decoded.includes(marker) && length >= 8) size = frameSize(bytes, at + 4)
    at = next
    if (marker === startOfScan) {
      scanned = true
      at = afterScan(bytes, at)
    }
  }
  throw invalidMedia('image', 'the JPEG is cut off.')
}

function frameSize(bytes: Uint8Array, at: number): ImageSize {
  const word = (from: number): number => ((bytes[from] ?? 0) << 8) | (bytes[from + 1] ?? 0)
  return { height: word(at + 1), width: word(at + 3) }
}

/** Where the next marker is: coded data writes 0xFF as FF 00. */
function afterScan(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at !== -1; at = bytes.indexOf(0xff, at + 1)) {
    const marker = bytes[at + 1] ?? 0
    if (marker !== 0 && marker !== 0xff && !(marker >= firstRestart && marker <= lastRestart)) return at
  }
  return bytes.length
}
