import { invalidMedia } from './fault.js'
import { jpegSize } from './jpeg.js'
import { mostAspect, mostPixels, mostSide } from './limits.js'
import { pngSize } from './png.js'

/** Width and height in pixels. */
export interface ImageSize {
  readonly width: number
  readonly height: number
}

/** The formats that are told by name when they come; the decoders are built without them, since they break often. */
const others: readonly (readonly [name: string, magic: string, at: number])[] = [
  ['a GIF', 'GIF8', 0],
  ['a BMP', 'BM', 0],
  ['a WebP', 'WEBP', 8],
  ['a TIFF', 'II*\0', 0],
  ['a TIFF', 'MM\0*', 0],
  ['a HEIF or AVIF', 'ftyp', 4],
  ['an SVG', '<svg', 0],
  ['a PDF', '%PDF', 0],
  ['audio (WAV)', 'WAVE', 8],
  ['audio (MP3)', 'ID3', 0],
  ['audio (FLAC)', 'fLaC', 0],
]

/**
 * Judges an image by its header and structure before any decoder sees it: a whole PNG or JPEG within the limits. Returns
 * its size. Throws `ERR_MEDIA_INVALID`.
 */
export function checkImage(bytes: Uint8Array): ImageSize {
  const size = sizeOf(bytes)
  const { width, height } = size
  const shown = `${width} × ${height} pixels`
  if (width < 1 || height < 1) throw invalidMedia('image', `it has ${shown}.`)
  if (width > mostSide || height > mostSide || width * height > mostPixels) {
    throw invalidMedia(
      'image',
      `it has ${shown}; at most ${mostSide} a side and ${mostPixels} in all may be. Scale it down.`,
    )
  }
  if (Math.max(width, height) > mostAspect * Math.min(width, height)) {
    throw invalidMedia('image', `it has ${shown}; one side may be ${mostAspect} times the other. Cut it.`)
  }
  return size
}

function sizeOf(bytes: Uint8Array): ImageSize {
  const text = Buffer.from(bytes.subarray(0, 16)).toString('latin1')
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return pngSize(bytes)
  if (text.startsWith('\xff\xd8\xff')) return jpegSize(bytes)
  const other = others.find(([, magic, at]) => text.startsWith(magic, at))
  const found = bytes.length === 0 ? 'it is empty' : `it is ${other?.[0] ?? 'of an unknown format'}`
  throw invalidMedia('image', `${found}; convert it to PNG or JPEG.`)
}
