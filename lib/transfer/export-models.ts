import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pack, type Pack } from 'tar-stream'
import { LlameroError } from '../errors.js'
import {
  digestHex,
  displayName,
  parseName,
  sameName,
  shortDigest,
  withOwnClaims,
  type Layer,
  type ListedModel,
  type ModelName,
  type Store,
} from '../store/index.js'
import { archiveOutput, type ArchiveSink } from './archive-output.js'
import { blobFile, encodeIndex, encodeMarker, fullName, layoutFiles } from './image-layout.js'
import { ByteMeter } from './progress.js'
import { runTransfer, type RunningTransfer, type TransferWork } from './running.js'
import { isHeld, wholeModel, type WholeModel } from './whole-model.js'

/** How models are exported. */
export interface ExportOptions {
  /** Stops the export, which rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** A running export, which gives the models that are in the archive. */
export type Export = RunningTransfer<readonly Pick<ListedModel, 'name' | 'displayName' | 'manifestDigest'>[]>

interface NamedModel extends WholeModel {
  readonly name: ModelName
}

interface LayoutFile {
  readonly name: string
  readonly sizeBytes: number
  readonly chunks: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/**
 * Writes models with all their layers into one tar archive that holds an OCI image layout: first the index and the
 * manifests, byte for byte, then each blob once. Equal models give equal bytes. Blobs are hashed on their way, so that
 * no damaged model leaves; a file is there whole or not at all.
 *
 * @param destination path of a file, or what takes the bytes
 * Errors: `ERR_MODEL_NOT_FOUND`, `ERR_NAME_INVALID`, `ERR_MANIFEST_INVALID`, `ERR_STORE`, `ERR_DIGEST` (a damaged blob),
 * `ERR_DISK_FULL`, `ERR_OPTION_INVALID`.
 */
export function exportModels(
  store: Store,
  names: readonly (ModelName | string)[],
  destination: string | ArchiveSink,
  { signal }: ExportOptions = {},
): Export {
  return runTransfer('export', signal, async (work) => {
    work.signal.throwIfAborted()
    if (names.length === 0) throw new LlameroError('ERR_OPTION_INVALID', 'Expected at least one model to export.')
    work.report({ status: 'retrieving manifest' })
    // Nobody may remove what is on its way.
    return withOwnClaims(store, async (own) => {
      const models = await namedModels(own, names)
      const files = layoutOf(own, models, work)
      const write = async (sink: ArchiveSink): Promise<void> => {
        for await (const bytes of archive(files, work.signal)) await orAborted(sink(bytes), work.signal)
      }
      if (typeof destination !== 'string') await write(destination)
      else await archiveOutput(destination, archiveBytes(files), write)
      return models.map(({ name, digest }) => ({ name, displayName: displayName(name), manifestDigest: digest }))
    })
  })
}

/** In the order of their names, each once. */
async function namedModels(store: Store, names: readonly (ModelName | string)[]): Promise<NamedModel[]> {
  const stored = (await store.list()).models.map(({ name }) => name)
  const wanted: ModelName[] = []
  for (const text of names) {
    const asked = typeof text === 'string' ? parseName(text) : text
    const name = stored.find((other) => sameName(other, asked)) ?? asked
    if (!wanted.some((other) => sameName(other, name))) wanted.push(name)
  }
  wanted.sort((a, b) => (fullName(a) < fullName(b) ? -1 : 1))
  const models: NamedModel[] = []
  for (const name of wanted) models.push({ name, ...(await wholeModel(store, name, isHeld)) })
  return models
}

function layoutOf(store: Store, models: readonly NamedModel[], work: TransferWork): LayoutFile[] {
  const index = models.map(({ name, manifest: { mediaType }, digest, bytes }) => ({
    name,
    mediaType,
    digest,
    size: bytes.length,
  }))
  const inMemory = (name: string, bytes: Uint8Array): LayoutFile => ({
    name,
    sizeBytes: bytes.length,
    chunks: () => [bytes],
  })
  const manifests = models.map(({ digest, bytes }) => inMemory(blobFile(digest), bytes))
  const blobs = models.flatMap(({ layers }) =>
    layers.map((layer) => ({
      name: blobFile(layer.digest),
      sizeBytes: layer.size,
      chunks: () => blobBytes(store, layer, work),
    })),
  )
  return [
    inMemory(layoutFiles.marker, encodeMarker()),
    inMemory(layoutFiles.index, encodeIndex(index)),
    ...sorted(manifests),
    ...sorted(blobs),
  ]
}

function sorted(files: readonly LayoutFile[]): LayoutFile[] {
  const unique = [...new Map(files.map((file) => [file.name, file])).values()]
  return unique.sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function* blobBytes(store: Store, { digest, size }: Layer, work: TransferWork): AsyncGenerator<Uint8Array> {
  const status = `saving ${shortDigest(digest)}`
  const meter = new ByteMeter((news) => work.report({ status, digest, ...news }))
  const hash = createHash('sha256')
  let done = 0
  const stream = createReadStream(store.blobs.path(digest), { highWaterMark: 1024 * 1024 })
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      done += chunk.length
      if (done > size) throw damaged(digest)
      hash.update(chunk)
      yield chunk
      meter.update(done, size)
    }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw damaged(digest, error)
    throw error
  }
  if (done !== size || hash.digest('hex') !== digestHex(digest)) throw damaged(digest)
}

function damaged(digest: Layer['digest'], cause?: unknown): LlameroError {
  return new LlameroError(
    'ERR_DIGEST',
    `The blob ${digest} of the store is damaged; the export was stopped. "llamero verify" says which models to pull again.`,
    { cause, details: { digest } },
  )
}

async function* archive(files: readonly LayoutFile[], signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const tar = pack()
  tar.on('error', () => {}) // which is told to its reader
  const filling = fill(tar, files, signal)
  try {
    for await (const chunk of tar) yield chunk as Uint8Array
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    tar.destroy(null)
    await filling
  }
}

async function fill(tar: Pack, files: readonly LayoutFile[], signal: AbortSignal): Promise<void> {
  try {
    for (const { name, sizeBytes, chunks } of files) {
      // Nobody's file, of no time: the same models always give the same bytes.
      const entry = tar.entry({ name, size: sizeBytes, type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) })
      entry.on('error', () => {}) // which is told by the archive
      const ending = new Promise<void>((resolve) => entry.on('close', () => resolve()))
      for await (const chunk of chunks()) {
        signal.throwIfAborted()
        const isFull = !entry.write(chunk)
        if (isFull) await Promise.race([ending, new Promise<void>((resolve) => entry.once('drain', () => resolve()))])
        if (tar.destroyed) return
      }
      entry.end(null)
      await ending
    }
    tar.finalize()
  } catch (error) {
    tar.destroy(error instanceof Error ? error : new Error(String(error)))
  }
}

function archiveBytes(files: readonly LayoutFile[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + 512 * (1 + Math.ceil(sizeBytes / 512)), 1024)
}

/** A reader that takes nothing more must not keep an export from being stopped. */
async function orAborted<Value>(taking: Promise<Value>, signal: AbortSignal): Promise<Value> {
  let stop = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    signal.throwIfAborted()
    return await Promise.race([taking, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
