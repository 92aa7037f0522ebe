import { digestOf, displayName, parseManifest, type Digest, type Layer, type ReadManifest } from '../store/index.js'
import { checkMarker, invalid, parseIndex, type IndexEntry } from './image-layout.js'
import { neededBlobs } from './received-manifest.js'

/** A model of an archive. */
export interface ArchivedModel extends IndexEntry, ReadManifest {
  /** Of the manifest. */
  readonly bytes: Uint8Array
  readonly blobs: readonly Layer[]
}

/** What is known of an archive so far; its index, its manifests and its blobs may come in any order. */
export class ArchiveContents {
  #isMarked = false
  #index: readonly IndexEntry[] | undefined
  readonly #manifests = new Map<Digest, Uint8Array>()

  addMarker(bytes: Uint8Array): void {
    checkMarker(bytes)
    this.#isMarked = true
  }

  addIndex(bytes: Uint8Array): void {
    this.#index = parseIndex(bytes)
  }

  /** Takes the bytes of a manifest that the index names. */
  addManifest({ digest, size }: IndexEntry, bytes: Uint8Array): void {
    if (bytes.length !== size) throw invalid(`the manifest ${digest} has ${bytes.length} bytes instead of ${size}`)
    if (digestOf(bytes) !== digest) throw invalid(`the bytes of the manifest ${digest} have another digest`)
    this.#manifests.set(digest, bytes)
  }

  /** What the index says of a manifest; undefined for other blobs, and while there is no index. */
  manifestEntry(digest: Digest): IndexEntry | undefined {
    return this.#index?.find((entry) => entry.digest === digest)
  }

  /** The manifests that have not come. Errors: `ERR_ARCHIVE_INVALID` if the index itself has not. */
  missingManifests(): readonly IndexEntry[] {
    if (this.#index === undefined) throw invalid('it has no index.json')
    if (!this.#isMarked) throw invalid('it has no oci-layout')
    return this.#index.filter(({ digest }) => !this.#manifests.has(digest))
  }

  /** The models, once the index and all manifests are known. */
  models(): readonly ArchivedModel[] | undefined {
    const known = this.#index?.flatMap((entry) => {
      const bytes = this.#manifests.get(entry.digest)
      return bytes === undefined ? [] : [archivedModel(entry, bytes)]
    })
    return known?.length === this.#index?.length ? known : undefined
  }
}

function archivedModel(entry: IndexEntry, bytes: Uint8Array): ArchivedModel {
  const { manifest, digest } = parseManifest(bytes)
  if (manifest.mediaType !== entry.mediaType)
    throw invalid(`the index gives the manifest of ${displayName(entry.name)} another mediaType than it has`)
  return { ...entry, manifest, digest, bytes, blobs: neededBlobs(manifest, entry.name) }
}
