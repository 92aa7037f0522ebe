import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { LlameroError } from '../../errors.js'
import { checkAudio } from './audio-check.js'
import { checkBytes, fromDataUrl } from './data-url.js'
import { invalidMedia, type MediaKind } from './fault.js'
import { checkImage } from './image-check.js'
import { mostBytes } from './limits.js'

/** Where a picture or sound is: the path or `file:` URL of a file, a `data:` URL in base64, or the file's bytes. */
export type MediaSource = string | URL | Uint8Array

/** A file that was judged, so that a decoder may see it. */
export interface MediaFile {
  readonly kind: MediaKind
  readonly bytes: Uint8Array
}

/**
 * Reads a picture or sound and judges it by its content: PNG or JPEG up to 20 MiB, 8,192 pixels a side and 32 million in
 * all; WAV, MP3 or FLAC up to 30 MiB and 30 minutes. Nothing is ever fetched.
 *
 * Rejects with `ERR_MEDIA_INVALID`, and with `ERR_STORE` for a file that cannot be read.
 */
export async function readMedia(kind: MediaKind, source: MediaSource): Promise<MediaFile> {
  const bytes = await bytesOf(kind, source)
  checkBytes(kind, bytes.length)
  if (kind === 'image') checkImage(bytes)
  else checkAudio(bytes)
  return { kind, bytes }
}

async function bytesOf(kind: MediaKind, source: MediaSource): Promise<Uint8Array> {
  // A copy: the caller's may change while it is being judged and encoded.
  if (source instanceof Uint8Array) {
    checkBytes(kind, source.length)
    return Uint8Array.from(source)
  }
  const text = String(source)
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return fromFile(kind, text)
  if (scheme === 'data') return fromDataUrl(kind, text)
  if (scheme === 'file') return fromFile(kind, filePath(kind, text))
  throw invalidMedia(
    kind,
    `nothing is fetched from ${scheme}: addresses. Fetch it yourself and pass its bytes, a path, or a data: URL.`,
  )
}

function filePath(kind: MediaKind, url: string): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw invalidMedia(kind, 'its file: URL names no file of this machine.', cause)
  }
}

async function fromFile(kind: MediaKind, path: string): Promise<Uint8Array> {
  if (path === '' || path.includes('\0')) throw invalidMedia(kind, 'its path is empty or holds a NUL character.')
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK) // a pipe would be waited for
    try {
      const stat = await handle.stat()
      if (!stat.isFile()) throw invalidMedia(kind, `${path} is no file.`)
      checkBytes(kind, stat.size)
      const bytes = new Uint8Array(Math.min(stat.size, mostBytes[kind]))
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0)
      return bytes.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof LlameroError) throw error
    const code = (error as { code?: unknown }).code
    const reason = code === 'ENOENT' ? 'there is no such file' : String(code)
    throw new LlameroError('ERR_STORE', `Could not read the ${kind} ${path}: ${reason}.`, { cause: error })
  }
}
