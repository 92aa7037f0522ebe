import { LlameroError } from '../errors.js'
import { makeDirectory } from '../make-directory.js'
import { Blobs } from './blobs.js'
import { digestOf, type Digest } from './digest.js'
import { onDisk, replaceFile, requireSpace } from './disk.js'
import { ingestDirectory, manifestPath, temporaryPath } from './layout.js'
import { encodeManifest, mediaTypes, parseManifest, type Layer, type Manifest, type ReadManifest } from './manifest.js'
import {
  listedModel,
  parseManifestFile,
  readManifestFile,
  type ListedModel,
  type ManifestFile,
  type StoreWarning,
} from './manifest-file.js'
import { describeModel, encodeConfig, type ModelClaims } from './model-config.js'
import { modelDetails, type ModelDetails } from './model-details.js'
import { damagedModel } from './model-fault.js'
import { storedNames, storedSpelling } from './model-index.js'
import { checkName, displayName, parseName, sameName, type ModelName } from './name.js'
import { PartialFiles } from './partial-files.js'
import { pruneStore, type PruneOptions, type PruneReport } from './prune.js'
import { newToken } from './process-identity.js'
import { mentionedDigests, readReferences } from './references.js'
import { whileReferencesHold } from './references-lock.js'
import { removeManifest, removeUnused } from './removal.js'
import { verifyModels, type VerifyOptions, type VerifyReport } from './verify.js'

/** Where a store is. */
export interface StoreOptions {
  /** The folder that holds `manifests` and `blobs`, laid out as Ollama's; made on the first write. */
  readonly directory: string
}

/** A model whose weights are on disk in full size. */
export interface StoredModel extends ListedModel {
  readonly modelDigest: Digest
  /** The GGUF file. */
  readonly modelPath: string
}

/** What {@link Store.list} found. */
export interface StoreListing {
  /** Latest change first. */
  readonly models: readonly ListedModel[]
  readonly warnings: readonly StoreWarning[]
}

/** How {@link Store.show} reads. */
export interface ShowOptions {
  /** Stops the reading of headers; rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

/** What {@link Store.remove} removed. */
export interface RemovedModel {
  readonly name: ModelName
  readonly displayName: string
  /** Blobs that only this model needed. */
  readonly removedBlobs: readonly Digest[]
  readonly freedBytes: number
}

/** What is told while a manifest takes its place. */
export interface ReplaceOptions {
  /** Called before blobs are removed that the replaced manifest named and the new one does not. */
  readonly onUnused?: (() => void) | undefined
}

/** What a new model is made of. */
export interface CreateModelOptions extends ReplaceOptions {
  /** The layers in their order; their blobs are in the store. One has the media type of a model. */
  readonly layers: readonly Layer[]
  /** What the config says beyond what the weights show. */
  readonly config?: Partial<ModelClaims> | undefined
  /** Facts to note in the manifest. */
  readonly annotations?: Readonly<Record<string, string>>
  /** Stops the reading of the weights' header; rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Models on disk in Ollama's own layout, so that either program runs what the other has pulled. Safe to use from
 * several processes at once, and consistent after a crash at any byte.
 */
export class Store {
  /** As it was passed in. */
  readonly directory: string
  readonly blobs: Blobs
  readonly partials: PartialFiles

  constructor({ directory }: StoreOptions) {
    if (typeof directory !== 'string' || directory === '') {
      throw new LlameroError(
        'ERR_OPTION_INVALID',
        'Expected the option "directory" of a store to be the path of a folder.',
      )
    }
    this.directory = directory
    this.blobs = new Blobs(directory)
    this.partials = new PartialFiles(directory)
  }

  /** All models, and a warning for each manifest that cannot be read. A store that does not exist yet is empty. */
  async list(): Promise<StoreListing> {
    const { models, warnings } = await this.#readAll(await this.#names())
    models.sort((a, b) => b.modifiedAt.getTime() - a.modifiedAt.getTime() || (a.displayName < b.displayName ? -1 : 1))
    return { models, warnings }
  }

  /**
   * Finds a model and its weights.
   *
   * @param name a name or its text; the case of letters does not count
   * Errors: `ERR_MODEL_NOT_FOUND`; `ERR_MANIFEST_INVALID` and `ERR_STORE` for a model that is damaged on disk.
   */
  async resolve(name: ModelName | string): Promise<StoredModel> {
    const model = await this.#read(await this.#spelling(name))
    const layer = model.layers.find(({ mediaType }) => mediaType === mediaTypes.model)
    if (layer === undefined) {
      throw new LlameroError(
        'ERR_UNSUPPORTED',
        `Expected ${model.displayName} to hold a GGUF model, but its manifest has no such layer.`,
      )
    }
    const size = await this.blobs.sizeBytes(layer.digest)
    if (size !== layer.size) {
      // Perhaps the model was removed or replaced since its manifest was read: then it is not damaged.
      const { manifestDigest } = await this.#read(model.name)
      const isSame = manifestDigest === model.manifestDigest
      if (!isSame || (await this.blobs.sizeBytes(layer.digest)) === layer.size) return this.resolve(model.name)
      const found = size === undefined ? 'is missing' : `has ${size} bytes instead of ${layer.size}`
      throw damagedModel(model.displayName, layer.digest, found)
    }
    return { ...model, modelDigest: layer.digest, modelPath: this.blobs.path(layer.digest) }
  }

  /** As {@link Store.resolve}, but undefined for a model that is not in the store, or not whole. */
  async find(name: ModelName | string): Promise<StoredModel | undefined> {
    try {
      return await this.resolve(name)
    } catch (error) {
      if (
        error instanceof LlameroError &&
        ['ERR_MODEL_NOT_FOUND', 'ERR_MANIFEST_INVALID', 'ERR_DIGEST', 'ERR_STORE'].includes(error.code)
      ) {
        return undefined
      }
      throw error
    }
  }

  /**
   * Everything that a model's parts say about it; of the weights only the header is read.
   * Errors: `ERR_MODEL_NOT_FOUND`, `ERR_NAME_INVALID`; `ERR_MANIFEST_INVALID`, `ERR_STORE` and `ERR_MODEL_INVALID` for
   * a model that is damaged on disk.
   */
  async show(name: ModelName | string, { signal }: ShowOptions = {}): Promise<ModelDetails> {
    return modelDetails(this, await this.#read(await this.#spelling(name)), signal)
  }

  /** Puts a small text or document into the store. */
  async addLayer(mediaType: string, content: Uint8Array | string): Promise<Layer> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    const digest = digestOf(bytes)
    if (!(await this.blobs.claim(digest))) await this.blobs.ingest([bytes], { digest })
    return { mediaType, digest, size: bytes.length }
  }

  /**
   * Makes a model of layers that are in the store: writes its config, then its manifest.
   * Errors: those of reading the GGUF file (`ERR_MODEL_INVALID`), `ERR_STORE`, `ERR_DISK_FULL`.
   */
  async createModel(
    name: ModelName | string,
    { layers, config: claims, annotations, signal, onUnused }: CreateModelOptions,
  ): Promise<StoredModel> {
    const model = layers.find(({ mediaType }) => mediaType === mediaTypes.model)
    if (model === undefined) throw new LlameroError('ERR_OPTION_INVALID', 'Expected one layer to be a model.')
    const config = await describeModel(
      this.blobs.path(model.digest),
      layers.map(({ digest }) => digest),
      claims,
      signal,
    )
    const configLayer = await this.addLayer(mediaTypes.config, encodeConfig(config))
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: configLayer,
      layers,
      ...(annotations && { annotations }),
    } as const
    const bytes = encodeManifest(manifest satisfies Manifest)
    const { name: spelling } = await this.writeManifest(name, bytes, { onUnused })
    return this.resolve(spelling)
  }

  /**
   * Puts a manifest under a name, byte for byte, in one step: whoever reads sees the old one or the new one. Its blobs
   * must be in the store. What only the replaced manifest needed is removed.
   * Errors: `ERR_MANIFEST_INVALID`, `ERR_STORE`, `ERR_DISK_FULL`.
   */
  async writeManifest(name: ModelName | string, bytes: Uint8Array, options: ReplaceOptions = {}): Promise<ListedModel> {
    parseManifest(bytes)
    return whileReferencesHold(this.directory, () => this.#write(name, bytes, options))
  }

  /**
   * Gives a model a second name; no blob is touched. What stood under that name before is replaced, and the same name,
   * in whatever case of letters, stays as it is.
   * Errors: `ERR_MODEL_NOT_FOUND`, `ERR_NAME_INVALID`, `ERR_MANIFEST_INVALID`, `ERR_STORE`, `ERR_DISK_FULL`.
   */
  async copy(source: ModelName | string, destination: ModelName | string): Promise<ListedModel> {
    const from = await this.#spelling(source)
    const model = await this.#read(from)
    if (sameName(from, await this.#spelling(destination))) return model
    return whileReferencesHold(this.directory, async () => {
      const { bytes } = await readManifestFile(this.directory, from)
      return this.#write(destination, bytes)
    })
  }

  /**
   * Removes a name, and the blobs that nothing else needs. Models that run go on from their open files. Also removes a
   * model whose manifest is damaged. Errors: `ERR_MODEL_NOT_FOUND`, `ERR_NAME_INVALID`, `ERR_STORE`.
   */
  async remove(name: ModelName | string): Promise<RemovedModel> {
    const asked = await this.#spelling(name)
    await this.#present(asked)
    return whileReferencesHold(this.directory, async () => {
      const spelling = await this.#spelling(name)
      const file = await this.#present(spelling)
      await removeManifest(this.directory, spelling)
      const references = await readReferences(this.directory)
      const candidates = file === undefined ? [] : mentionedDigests(file)
      const { digests, freedBytes } = await removeUnused(this.directory, this.blobs, candidates, references)
      return { name: spelling, displayName: displayName(spelling), removedBlobs: digests, freedBytes }
    })
  }

  /**
   * Hashes the blobs of all models, or of some, each once. It finds and changes nothing: a pull of the models that are
   * named heals them. Errors: `ERR_MODEL_NOT_FOUND` for a model that was asked for, `ERR_STORE`.
   */
  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    const names = await (options.models === undefined ? this.#names() : this.#namesOf(options.models))
    const listing = await this.#readAll(names)
    const found = await verifyModels(this, listing.models, options)
    const isClean = found.damagedBlobs.length === 0 && listing.warnings.length === 0
    return { ...found, isClean, warnings: listing.warnings }
  }

  /**
   * Removes what nothing needs: blobs that no manifest names, files of unfinished downloads, what processes that are
   * gone left behind, and empty folders of manifests. What is younger than an hour stays, as in Ollama; so does, at any
   * age, what a process of llamero is pulling or about to name. Files named as old releases of Ollama did get the names
   * of today. Errors: `ERR_STORE`.
   */
  prune(options: PruneOptions = {}): Promise<PruneReport> {
    return pruneStore(this.directory, this.blobs, options)
  }

  /**
   * The manifest of a model as it lies on disk. Errors: `ERR_MODEL_NOT_FOUND`, `ERR_MANIFEST_INVALID`, `ERR_STORE`.
   *
   * @param name a name or its text; the case of letters does not count
   */
  async readManifest(name: ModelName | string): Promise<ReadManifest & { readonly bytes: Uint8Array }> {
    const file = await readManifestFile(this.directory, await this.#spelling(name))
    return { ...parseManifestFile(file), bytes: file.bytes }
  }

  /** Gives up blobs as by {@link Blobs.release}, and removes those that nothing else needs. Errors: `ERR_STORE`. */
  async discard(digests: readonly Digest[]): Promise<void> {
    await this.blobs.release(digests)
    await whileReferencesHold(this.directory, async () => {
      await removeUnused(this.directory, this.blobs, digests, await readReferences(this.directory))
    })
  }

  /** Throws `ERR_DISK_FULL`, with both numbers, if that many bytes will not fit. */
  async requireSpace(neededBytes: number, doing: string): Promise<void> {
    const work = { doing, directory: this.directory, neededBytes }
    await onDisk(work, () => makeDirectory(this.directory))
    await requireSpace(work)
  }

  #names(): Promise<readonly ModelName[]> {
    return onDisk({ doing: 'list the models', directory: this.directory }, () => storedNames(this.directory))
  }

  async #readAll(names: readonly ModelName[]): Promise<{ models: ListedModel[]; warnings: StoreWarning[] }> {
    const models: ListedModel[] = []
    const warnings: StoreWarning[] = []
    for (const name of names) {
      try {
        models.push(await this.#read(name))
      } catch (error) {
        if (!(error instanceof LlameroError)) throw error
        if (error.code !== 'ERR_MODEL_NOT_FOUND')
          warnings.push({ name, displayName: displayName(name), message: error.message })
      }
    }
    return { models, warnings }
  }

  async #namesOf(texts: readonly (ModelName | string)[]): Promise<ModelName[]> {
    const names: ModelName[] = []
    for (const text of texts) {
      const name = await this.#spelling(text)
      await this.#present(name)
      if (!names.some((other) => sameName(other, name))) names.push(name)
    }
    return names
  }

  async #spelling(name: ModelName | string): Promise<ModelName> {
    const wanted = typeof name === 'string' ? parseName(name) : checkName(name)
    return storedSpelling(wanted, await this.#names())
  }

  async #read(name: ModelName): Promise<ListedModel> {
    return listedModel(await readManifestFile(this.directory, name))
  }

  // While the references hold.
  async #write(name: ModelName | string, bytes: Uint8Array, options: ReplaceOptions = {}): Promise<ListedModel> {
    const { manifest } = parseManifest(bytes)
    const layers = [manifest.config, ...manifest.layers]
    for (const layer of layers) {
      if ((await this.blobs.sizeBytes(layer.digest)) !== layer.size) {
        throw new LlameroError(
          'ERR_STORE',
          `Expected the blob ${layer.digest} to be in the store before the manifest that names it.`,
        )
      }
    }
    const spelling = await this.#spelling(name)
    const replaced = await this.#present(spelling).catch(() => undefined)
    await onDisk({ doing: 'write a manifest', directory: this.directory }, async () => {
      await makeDirectory(ingestDirectory(this.directory))
      await replaceFile(manifestPath(this.directory, spelling), temporaryPath(this.directory, await newToken()), bytes)
    })
    await this.blobs.release(layers.map(({ digest }) => digest))
    if (replaced !== undefined) await this.#removeReplaced(replaced, layers, options)
    return this.#read(spelling)
  }

  async #removeReplaced(replaced: ManifestFile, layers: readonly Layer[], { onUnused }: ReplaceOptions): Promise<void> {
    const needed = new Set(layers.map(({ digest }) => digest))
    const candidates = [...mentionedDigests(replaced)].filter((digest) => !needed.has(digest))
    if (candidates.length === 0) return
    onUnused?.()
    try {
      await removeUnused(this.directory, this.blobs, candidates, await readReferences(this.directory))
    } catch (error) {
      // The new manifest stands; what could not be removed (Windows keeps open files) is left to prune.
      if (!(error instanceof LlameroError)) throw error
    }
  }

  // Undefined for a manifest that is there and cannot be read.
  async #present(name: ModelName): Promise<ManifestFile | undefined> {
    try {
      return await readManifestFile(this.directory, name)
    } catch (error) {
      if (error instanceof LlameroError && error.code !== 'ERR_MODEL_NOT_FOUND') return undefined
      throw error
    }
  }
}
