/**
 * Every path of the store, and the only file that joins one. Its inputs are values that their own constructors have
 * checked (digests, names, tokens of ours), so that no text from outside can lead out of the store.
 */
import { join } from 'node:path'
import { LlameroError } from '../errors.js'
import { digestHex, parseDigest, type Digest } from './digest.js'
import { isNamePart, nameParts, type ModelName, type NamePart } from './name.js'

/** Byte range of a file that is being downloaded, named after the file's own digest. */
export interface PartIdentity {
  /** Place in the sequence of parts that are joined. */
  readonly index: number
  /** Digest of the file that the range belongs to. */
  readonly source: Digest
  /** First byte; the whole file if left out. */
  readonly range?: { readonly start: number; readonly length: number }
}

export function blobsDirectory(directory: string): string {
  return join(directory, 'blobs')
}

export function blobPath(directory: string, digest: Digest): string {
  return join(directory, 'blobs', `sha256-${digestHex(digest)}`)
}

/** A temporary file on the very disk that blobs are on. */
export function nearBlobPath(directory: string, digest: Digest, token: string): string {
  return join(directory, 'blobs', `sha256-${digestHex(digest)}-${checkToken(token)}`)
}

export function manifestsDirectory(directory: string): string {
  return join(directory, 'manifests')
}

export function manifestPath(directory: string, name: ModelName, platform: NodeJS.Platform = process.platform): string {
  return join(directory, 'manifests', ...nameParts.map((part) => nameToFile(part, name[part], platform)))
}

/** Where bytes lie until they are verified: beside `blobs`, not in it, since Ollama clears strange names out of that. */
export function ingestDirectory(directory: string): string {
  return join(directory, 'ingest')
}

/** Where notes lie of blobs that a manifest is about to name. */
export function claimsDirectory(directory: string): string {
  return join(directory, 'claims')
}

export function claimPath(directory: string, digest: Digest, token: string): string {
  return join(directory, 'claims', `sha256-${digestHex(digest)}.${checkToken(token)}`)
}

/** How Ollama named the file of a blob until 2024; undefined where no file can have that name. */
export function oldBlobPath(directory: string, digest: Digest): string | undefined {
  return process.platform === 'win32' ? undefined : join(directory, 'blobs', `sha256:${digestHex(digest)}`)
}

export function temporaryPath(directory: string, token: string): string {
  return join(directory, 'ingest', `${checkToken(token)}.tmp`)
}

export function lockPath(directory: string, key: string): string {
  return join(directory, 'ingest', `${checkToken(key)}.lock`)
}

export function partPath(directory: string, target: Digest, part: PartIdentity): string {
  const range = part.range === undefined ? 'all' : `${part.range.start}+${part.range.length}`
  return join(directory, 'ingest', `${partPrefix(target)}${part.index}-${digestHex(part.source)}-${range}`)
}

/** A file of ours that was found by listing its folder. */
export function foundPath(folder: string, name: string): string {
  return join(folder, name)
}

/** The digest that a part is being collected for, or that a lock is on; undefined for other files. */
export function targetOf(file: string): Digest | undefined {
  const [, hex] = /^sha256-([0-9a-f]{64})\.(?:part-|lock$)/.exec(file) ?? []
  return hex === undefined ? undefined : parseDigest(`sha256:${hex}`)
}

/** How the names of all parts begin that are being collected for one digest. */
export function partPrefix(target: Digest): string {
  return `sha256-${digestHex(target)}.part-`
}

// Names that Windows gives to devices, with or without an extension.
const deviceName = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i

/** The file name of a part of a name: the part itself, but that Windows cannot hold the colon of a port. */
export function nameToFile(part: NamePart, text: string, platform: NodeJS.Platform): string {
  if (!isNamePart(part, text)) throw new LlameroError('ERR_NAME_INVALID', `The ${part} of a model name is not valid.`)
  if (platform !== 'win32') return text
  if (deviceName.test(text) || text.endsWith('.')) {
    throw new LlameroError(
      'ERR_NAME_INVALID',
      `Windows cannot store a model whose ${part} is ${JSON.stringify(text)}; choose another name.`,
    )
  }
  return text.replaceAll(':', '%3A')
}

/** The part of a name behind a file name, or undefined for files that are none of ours. */
export function fileToName(
  part: NamePart,
  file: string,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  const text = platform === 'win32' ? file.replaceAll('%3A', ':') : file
  return isNamePart(part, text) ? text : undefined
}

function checkToken(token: string): string {
  if (token.length > 200 || !/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(token)) throw new LlameroError('ERR_INTERNAL')
  return token
}
