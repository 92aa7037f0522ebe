import { invalidMedia, type MediaKind } from './fault.js'
import { mostBytes } from './limits.js'

const base64Text = /^[A-Za-z0-9+/]*={0,2}$/

/** The bytes of base64, read strictly: Node's own decoder skips what it does not know. Throws `ERR_MEDIA_INVALID`. */
export function fromBase64(kind: MediaKind, text: string): Uint8Array {
  checkBytes(kind, Math.floor(text.length / 4) * 3)
  if (text.length % 4 !== 0 || !base64Text.test(text)) {
    throw invalidMedia(kind, 'its base64 is damaged: expected letters, digits, + and /, filled up with = to fours.')
  }
  return Buffer.from(text, 'base64')
}

/** The bytes of a `data:` URL, which must be in base64. Throws `ERR_MEDIA_INVALID`. */
export function fromDataUrl(kind: MediaKind, url: string): Uint8Array {
  const comma = url.indexOf(',')
  if (comma === -1 || !/;base64$/i.test(url.slice(0, comma))) {
    throw invalidMedia(kind, 'its data: URL is not in base64; expected data:TYPE;base64,DATA.')
  }
  return fromBase64(kind, url.slice(comma + 1))
}

/** Throws `ERR_MEDIA_INVALID` for more bytes than a file may have. */
export function checkBytes(kind: MediaKind, bytes: number): void {
  if (bytes <= mostBytes[kind]) return
  throw invalidMedia(kind, `it has ${bytes} bytes; at most ${mostBytes[kind]} may be.`)
}
