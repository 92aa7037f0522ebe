import { LlameroError } from '../errors.js'
import {
  digestHex,
  displayName,
  manifestLimits,
  mediaTypes,
  parseDigest,
  parseName,
  repeatedKey,
  sameName,
  type Digest,
  type ModelName,
} from '../store/index.js'

/** What an index says of one model. */
export interface IndexEntry {
  readonly name: ModelName
  /** Of the manifest, as are the digest and the size. */
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

/** The names of files in an OCI image layout that are not blobs. */
export const layoutFiles = { marker: 'oci-layout', index: 'index.json' } as const

/** What an image layout may hold, so that reading one has bounds. */
export const layoutLimits = { markerBytes: 4096, indexBytes: 4 * 2 ** 20, models: 1024, manifestBytes: 32 * 2 ** 20 }

const layoutVersion = '1.0.0'
const indexMediaType = 'application/vnd.oci.image.index.v1+json'
const manifestMediaTypes: readonly unknown[] = [mediaTypes.manifest, mediaTypes.ociManifest]
// The first is containerd's and Docker's, for the whole name; the second is the specification's, by which tools like
// skopeo pick an image out of several.
const nameAnnotations = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'] as const

/** The bytes of the file that marks an image layout. */
export function encodeMarker(): Uint8Array {
  return Buffer.from(JSON.stringify({ imageLayoutVersion: layoutVersion }))
}

/** Throws `ERR_ARCHIVE_INVALID` unless the bytes mark an image layout that can be read here. */
export function checkMarker(bytes: Uint8Array): void {
  const { imageLayoutVersion: version } = readDocument(bytes, layoutFiles.marker)
  if (typeof version === 'string' && version.startsWith('1.')) return
  throw invalid(`its ${layoutFiles.marker} is not of version ${layoutVersion}`)
}

/** The bytes of an index. */
export function encodeIndex(entries: readonly IndexEntry[]): Uint8Array {
  const manifests = entries.map(({ name, mediaType, digest, size }) => {
    const names = [fullName(name), displayName(name)]
    const annotations = Object.fromEntries(nameAnnotations.map((annotation, index) => [annotation, names[index]]))
    return { mediaType, digest, size, annotations }
  })
  return Buffer.from(`${JSON.stringify({ schemaVersion: 2, mediaType: indexMediaType, manifests })}\n`)
}

/**
 * Reads an index strictly: each manifest has a name, and no name stands twice.
 * Errors: `ERR_ARCHIVE_INVALID`, `ERR_NAME_INVALID`, `ERR_DIGEST`, `ERR_UNSUPPORTED`.
 */
export function parseIndex(bytes: Uint8Array): readonly IndexEntry[] {
  const { schemaVersion, manifests } = readDocument(bytes, layoutFiles.index)
  if (schemaVersion !== 2 || !Array.isArray(manifests))
    throw invalid(`its ${layoutFiles.index} is no index of manifests`)
  if (manifests.length === 0) throw invalid('it holds no model')
  if (manifests.length > layoutLimits.models) throw invalid(`it holds more than ${layoutLimits.models} models`)
  const entries = manifests.map(parseEntry)
  for (const [index, { name, digest, size }] of entries.entries()) {
    const others = entries.slice(0, index)
    if (others.some((other) => sameName(other.name, name)))
      throw invalid(`the name ${displayName(name)} stands twice in it`)
    if (others.some((other) => other.digest === digest && other.size !== size))
      throw invalid(`it gives the manifest ${digest} two sizes`)
  }
  const sizes = new Map(entries.map(({ digest, size }) => [digest, size]))
  const manifestBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  if (manifestBytes > layoutLimits.manifestBytes) throw invalid('its manifests are too large')
  return entries
}

function parseEntry(value: unknown): IndexEntry {
  const { mediaType, digest: text, size, annotations } = record(value, 'an entry of its index')
  const digest = parseDigest(text)
  if (typeof mediaType !== 'string' || !manifestMediaTypes.includes(mediaType)) {
    throw new LlameroError(
      'ERR_UNSUPPORTED',
      `Expected the archive to hold models, but ${digest} is no manifest of one; several platforms in one image are not supported.`,
    )
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1 || size > manifestLimits.bytes)
    throw invalid(`the size of the manifest ${digest} is not between 1 and ${manifestLimits.bytes}`)
  const notes = annotations === undefined ? {} : record(annotations, 'what its index notes')
  const name = nameAnnotations.map((annotation) => notes[annotation]).find((note) => typeof note === 'string')
  if (name === undefined) throw invalid(`it gives the manifest ${digest} no name`)
  return { name: parseName(name), mediaType, digest, size }
}

/** All four parts of a name. */
export function fullName({ host, namespace, model, tag }: ModelName): string {
  return `${host}/${namespace}/${model}:${tag}`
}

/** The name of a blob's file in a layout. */
export function blobFile(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`
}

/** The digest that a file of a layout is named after; undefined for other files. */
export function digestOfFile(name: string): Digest | undefined {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1]
  return hex === undefined ? undefined : parseDigest(`sha256:${hex}`)
}

function readDocument(bytes: Uint8Array, file: string): Record<string, unknown> {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid(`its ${file} is not JSON`, cause)
  }
  const key = repeatedKey(text)
  if (key !== undefined) throw invalid(`the key ${JSON.stringify(key.slice(0, 100))} stands twice in its ${file}`)
  return record(value, `its ${file}`)
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw invalid(`${what} is not an object`)
}

/** The error for a file that is no archive of models. */
export function invalid(reason: string, cause?: unknown): LlameroError {
  return new LlameroError(
    'ERR_ARCHIVE_INVALID',
    `Expected an archive of models as "llamero save" writes it (an OCI image layout in a tar file), but ${reason}.`,
    { cause },
  )
}
