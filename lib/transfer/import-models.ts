import { readFile } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import {
  displayName,
  manifestLimits,
  shortDigest,
  withOwnClaims,
  type Digest,
  type Layer,
  type Store,
  type StoredModel,
} from '../store/index.js'
import { ArchiveContents, type ArchivedModel } from './archive-contents.js'
import { archiveEntries, type ArchiveEntry } from './archive-entries.js'
import { archiveInput } from './archive-input.js'
import { digestOfFile, invalid, layoutFiles, layoutLimits } from './image-layout.js'
import { ByteMeter } from './progress.js'
import type { PullContext } from './pull-context.js'
import { checkBlobs, storeManifest } from './received-manifest.js'
import { runTransfer, type RunningTransfer } from './running.js'

/** How models are imported. */
export interface ImportOptions {
  /** Stops the import, which rejects with the signal's reason. Blobs that have arrived are kept for the next one. */
  readonly signal?: AbortSignal
}

/** A running import, which gives the models in the store. */
export type Import = RunningTransfer<readonly StoredModel[]>

/**
 * Puts the models of an archive (an OCI image layout in a tar file, as {@link exportModels} writes it) into the store,
 * under the names that it gives, in place of what has those names. Nothing is unpacked: blobs are verified on their way
 * into the store, in whatever order they come, and manifests are written last, so that an import that fails leaves no
 * model. Blobs that the store has are not written again, and need not be in the archive.
 *
 * @param source path of a file, or the bytes
 * Errors: `ERR_ARCHIVE_INVALID`, `ERR_DIGEST`, `ERR_MANIFEST_INVALID`, `ERR_NAME_INVALID`, `ERR_MODEL_NOT_FOUND` (no such
 * file), `ERR_MODEL_INVALID`, `ERR_UNSUPPORTED`, `ERR_DISK_FULL`, `ERR_STORE`.
 */
export function importModels(
  store: Store,
  source: string | AsyncIterable<Uint8Array>,
  { signal }: ImportOptions = {},
): Import {
  return runTransfer('import', signal, (work) =>
    withOwnClaims(store, (own) =>
      run({ store: own, ...work }, typeof source === 'string' ? archiveInput(source) : source),
    ),
  )
}

/** One archive on its way into the store. */
interface Arrival {
  readonly context: PullContext
  readonly contents: ArchiveContents
  /** Blobs of the archive that are in the store, with their sizes. */
  readonly arrived: Map<Digest, number>
  /** Those that were not there before. */
  readonly written: Set<Digest>
}

async function run(context: PullContext, source: AsyncIterable<Uint8Array>): Promise<readonly StoredModel[]> {
  const { signal, report } = context
  signal.throwIfAborted()
  report({ status: 'reading archive' })
  const arrival: Arrival = { context, contents: new ArchiveContents(), arrived: new Map(), written: new Set() }
  let isEmpty = true
  for await (const entry of archiveEntries(source, signal)) {
    isEmpty = false
    await takeEntry(arrival, entry)
  }
  if (isEmpty) throw invalid('it is empty')
  const models = await wholeModels(arrival)
  report({ status: 'verifying sha256 digest' })
  for (const { manifest, name } of models) await checkBlobs(context, manifest, name)
  report({ status: 'writing manifest' })
  const stored: StoredModel[] = []
  for (const model of models) stored.push(await storeManifest(context, model, { name: model.name, as: model.name }))
  await discardRest(arrival, stored)
  return stored
}

// Docker writes these beside the layout, for older readers.
const passedOver: readonly string[] = ['manifest.json', 'repositories']

async function takeEntry(arrival: Arrival, entry: ArchiveEntry): Promise<void> {
  const { contents } = arrival
  const digest = digestOfFile(entry.name)
  if (digest !== undefined) await takeBlob(arrival, digest, entry)
  else if (entry.name === layoutFiles.marker) contents.addMarker(await readSmall(entry, layoutLimits.markerBytes))
  else if (entry.name === layoutFiles.index) {
    contents.addIndex(await readSmall(entry, layoutLimits.indexBytes))
    await requireRoom(arrival)
  } else if (!passedOver.includes(entry.name)) {
    throw invalid(`it has a file ${JSON.stringify(entry.name.slice(0, 100))}, which belongs in none`)
  }
}

async function takeBlob(arrival: Arrival, digest: Digest, entry: ArchiveEntry): Promise<void> {
  const { contents, arrived } = arrival
  const listed = contents.manifestEntry(digest)
  if (listed !== undefined) {
    contents.addManifest(listed, await readSmall(entry, manifestLimits.bytes))
    await requireRoom(arrival)
    return
  }
  const models = contents.models()
  const owner = models?.find(({ blobs }) => blobs.some((blob) => blob.digest === digest))
  // What no manifest names is passed over, if that is known yet.
  if (models !== undefined && owner === undefined) return
  if (owner !== undefined) requireSize(owner, digest, entry.sizeBytes)
  await storeBlob(arrival, digest, entry)
  arrived.set(digest, entry.sizeBytes)
}

async function storeBlob({ context, written }: Arrival, digest: Digest, entry: ArchiveEntry): Promise<void> {
  const { store, report, signal } = context
  const { sizeBytes } = entry
  const news = { status: `loading ${shortDigest(digest)}`, digest, total: sizeBytes }
  const isHere = (await store.blobs.sizeBytes(digest)) === sizeBytes && (await store.blobs.claim(digest, { signal }))
  if (!isHere) {
    report(news)
    await store.requireSpace(sizeBytes, 'load the models')
    const meter = new ByteMeter((progress) => report({ ...news, ...progress }))
    const onProgress = (bytes: number) => meter.update(bytes, sizeBytes)
    await store.blobs.ingest(entry.bytes, { digest, sizeBytes, signal, onProgress })
    written.add(digest)
  }
  report({ ...news, completed: sizeBytes })
}

/** Before anything is written, where the index and the manifests come first; else each blob is looked at alone. */
async function requireRoom({ context: { store }, contents, arrived }: Arrival): Promise<void> {
  const blobs = new Map(contents.models()?.flatMap((model) => model.blobs.map(({ digest, size }) => [digest, size])))
  let neededBytes = 0
  for (const [digest, size] of blobs) {
    if (!arrived.has(digest) && (await store.blobs.sizeBytes(digest)) !== size) neededBytes += size
  }
  await store.requireSpace(neededBytes, 'load the models')
}

/** Reads the manifests that came before the index did, and sees that no blob is missing. */
async function wholeModels({
  context: { store, signal },
  contents,
  arrived,
}: Arrival): Promise<readonly ArchivedModel[]> {
  for (const entry of contents.missingManifests()) {
    const { digest, size, name } = entry
    if (arrived.get(digest) !== size) throw invalid(`the manifest ${digest} of ${displayName(name)} is missing in it`)
    contents.addManifest(entry, await readFile(store.blobs.path(digest)))
  }
  const models = contents.models() ?? []
  for (const model of models) {
    for (const { digest, size } of model.blobs) {
      const found = arrived.get(digest)
      if (found !== undefined) requireSize(model, digest, found)
      else if ((await store.blobs.sizeBytes(digest)) !== size || !(await store.blobs.claim(digest, { signal })))
        throw invalid(`the blob ${digest} of ${displayName(model.name)} is missing in it`)
    }
  }
  return models
}

function requireSize({ name, blobs }: ArchivedModel, digest: Digest, found: number): void {
  const size = blobs.find((blob) => blob.digest === digest)?.size
  if (size !== found)
    throw invalid(`the blob ${digest} of ${displayName(name)} has ${found} bytes in it instead of ${size}`)
}

// Until the index came nobody knew that no model would need them.
async function discardRest({ context: { store }, written }: Arrival, models: readonly StoredModel[]): Promise<void> {
  const named = new Set(
    models.flatMap(({ config, layers }): Layer[] => [config, ...layers]).map(({ digest }) => digest),
  )
  const rest = [...written].filter((digest) => !named.has(digest))
  if (rest.length === 0) return
  try {
    await store.discard(rest)
  } catch (error) {
    // The models are there; what could not be removed is left to prune.
    if (!(error instanceof LlameroError)) throw error
  }
}

async function readSmall({ name, sizeBytes, bytes }: ArchiveEntry, limit: number): Promise<Uint8Array> {
  if (sizeBytes > limit) throw invalid(`its ${name} is larger than ${limit} bytes`)
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}
