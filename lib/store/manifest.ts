import { LlameroError } from '../errors.js'
import { digestOf, parseDigest, type Digest } from './digest.js'
import { repeatedKey } from './repeated-key.js'

/** Media types of a manifest's parts, as Ollama writes them (its registry speaks Docker's distribution protocol). */
export const mediaTypes = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.docker.container.image.v1+json',
  model: 'application/vnd.ollama.image.model',
  projector: 'application/vnd.ollama.image.projector',
  adapter: 'application/vnd.ollama.image.adapter',
  /** A smaller model that proposes tokens. */
  draft: 'application/vnd.ollama.image.draft',
  template: 'application/vnd.ollama.image.template',
  /** The name of templates in old releases of Ollama. */
  prompt: 'application/vnd.ollama.image.prompt',
  system: 'application/vnd.ollama.image.system',
  params: 'application/vnd.ollama.image.params',
  messages: 'application/vnd.ollama.image.messages',
  license: 'application/vnd.ollama.image.license',
} as const

/** One blob in its role. */
export interface Layer {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** The model that the layer was inherited from. */
  readonly from?: string
  readonly name?: string
}

/** What a name stands for: a config and the layers in their order. */
export interface Manifest {
  readonly schemaVersion: 2
  readonly mediaType: string
  readonly config: Layer
  readonly layers: readonly Layer[]
  /** Facts about the whole, such as where it came from; Ollama ignores them. */
  readonly annotations?: Readonly<Record<string, string>>
}

/** A manifest with the digest of the very bytes that it was read from. */
export interface ReadManifest {
  readonly manifest: Manifest
  readonly digest: Digest
}

/** Limits on a manifest. */
export const manifestLimits = { bytes: 4 * 1024 * 1024, layers: 1024 } as const

const emptyDigest = digestOf('')

/**
 * Reads a manifest strictly: one that two readers could understand in two ways is refused.
 * Errors: `ERR_MANIFEST_INVALID`, for a malformed digest in it `ERR_DIGEST`.
 */
export function parseManifest(bytes: Uint8Array): ReadManifest {
  if (bytes.length === 0) throw invalid('it is empty')
  if (bytes.length > manifestLimits.bytes) throw invalid(`it is larger than ${manifestLimits.bytes} bytes`)
  const document = record(parseJson(bytes), 'it')
  if (document.schemaVersion !== 2) throw invalid('its schemaVersion is not 2')
  const { mediaType = mediaTypes.manifest } = document
  if (mediaType !== mediaTypes.manifest && mediaType !== mediaTypes.ociManifest)
    throw invalid('its mediaType is not that of a manifest')
  if ('manifests' in document) throw invalid('it is an index of manifests')
  if (!Array.isArray(document.layers)) throw invalid('its layers are not an array')
  if (document.layers.length > manifestLimits.layers) throw invalid(`it has more than ${manifestLimits.layers} layers`)
  const config = parseLayer(document.config, 'its config')
  const layers = document.layers.map((layer: unknown, index) => parseLayer(layer, `its layer ${index}`))
  const annotations = parseAnnotations(document.annotations)
  return {
    manifest: { schemaVersion: 2, mediaType, config, layers, ...(annotations && { annotations }) },
    digest: digestOf(bytes),
  }
}

/** The bytes of a new manifest, as Ollama's encoder lays them out: compact, with a newline at the end. */
export function encodeManifest({ schemaVersion, mediaType, config, layers, annotations }: Manifest): Uint8Array {
  const document = {
    schemaVersion,
    mediaType,
    config: encodeLayer(config),
    layers: layers.map(encodeLayer),
    annotations,
  }
  return Buffer.from(`${JSON.stringify(document)}\n`)
}

function encodeLayer({ mediaType, digest, size, from, name }: Layer): Layer {
  return { mediaType, digest, size, ...(from !== undefined && { from }), ...(name !== undefined && { name }) }
}

function parseLayer(value: unknown, what: string): Layer {
  const { mediaType, digest: text, size, from, name } = record(value, what)
  if (typeof mediaType !== 'string' || mediaType === '') throw invalid(`${what} has no mediaType`)
  const digest = parseDigest(text)
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || (size === 0 && digest !== emptyDigest)) {
    throw invalid(`the size of ${what} is not a positive whole number of bytes`)
  }
  return {
    mediaType,
    digest,
    size,
    ...(typeof from === 'string' && { from }),
    ...(typeof name === 'string' && { name }),
  }
}

function parseAnnotations(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined
  const entries = Object.entries(record(value, 'its annotations'))
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

function parseJson(bytes: Uint8Array): unknown {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid('it is not JSON', cause)
  }
  const key = repeatedKey(text)
  if (key !== undefined) throw invalid(`the key ${JSON.stringify(key.slice(0, 100))} stands twice in it`)
  return value
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw invalid(`${what} is not an object`)
}

function invalid(reason: string, cause?: unknown): LlameroError {
  return new LlameroError('ERR_MANIFEST_INVALID', `Expected a manifest of a model, but ${reason}.`, { cause })
}
