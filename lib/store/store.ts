import { mkdir, open } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import { Blobs } from './blobs.js'
import { digestOf, type Digest } from './digest.js'
import { formatBytes, onDisk, readWithoutWaiting, replaceFile, requireSpace, systemCode } from './disk.js'
import { ingestDirectory, manifestPath, temporaryPath } from './layout.js'
import {
  encodeManifest,
  manifestLimits,
  mediaTypes,
  parseManifest,
  type Layer,
  type Manifest,
  type ReadManifest,
} from './manifest.js'
import { describeModel, encodeConfig } from './model-config.js'
import { storedNames, storedSpelling } from './model-index.js'
import { checkName, displayName, parseName, type ModelName } from './name.js'
import { newToken } from './process-identity.js'
import { PartialFiles } from './partial-files.js'

/** Where a store is. */
export interface StoreOptions {
  /** The folder that holds `manifests` and `blobs`, laid out as Ollama's; made on the first write. */
  readonly directory: string
}

/** A manifest on disk. */
export interface ListedModel {
  readonly name: ModelName
  /** The shortest text that means the name, such as `smollm2:135m`. */
  readonly displayName: string
  /** Hash of the manifest's bytes: the model's ID. */
  readonly manifestDigest: Digest
  readonly config: Layer
  readonly layers: readonly Layer[]
  /** Where the model came from, if that was noted; see {@link Manifest}. */
  readonly annotations: Readonly<Record<string, string>>
  /** All layers and the config together; layers that models share count in each. */
  readonly sizeBytes: number
  readonly modifiedAt: Date
}

/** A model whose weights are on disk in full size. */
export interface StoredModel extends ListedModel {
  readonly modelDigest: Digest
  /** The GGUF file. */
  readonly modelPath: string
}

/** A model that the store cannot make sense of; the others are not affected. */
export interface StoreWarning {
  readonly name: ModelName
  readonly displayName: string
  /** What is wrong and how to cure it. */
  readonly message: string
}

/** What {@link Store.list} found. */
export interface StoreListing {
  /** Latest change first. */
  readonly models: readonly ListedModel[]
  readonly warnings: readonly StoreWarning[]
}

/** What a new model is made of. */
export interface CreateModelOptions {
  /** The layers in their order; their blobs are in the store. One has the media type of a model. */
  readonly layers: readonly Layer[]
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
    const models: ListedModel[] = []
    const warnings: StoreWarning[] = []
    for (const name of await this.#names()) {
      try {
        models.push(await this.#read(name))
      } catch (error) {
        if (!(error instanceof LlameroError)) throw error
        if (error.code !== 'ERR_MODEL_NOT_FOUND')
          warnings.push({ name, displayName: displayName(name), message: error.message })
      }
    }
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
      const found = size === undefined ? 'is missing' : `has ${size} bytes instead of ${layer.size}`
      throw new LlameroError(
        'ERR_STORE',
        `The weights of ${model.displayName} are damaged: blob ${layer.digest} ${found}. Pull the model again.`,
        {
          details: { model: model.displayName, digest: layer.digest },
        },
      )
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

  /** Puts a small text or document into the store. */
  async addLayer(mediaType: string, content: Uint8Array | string): Promise<Layer> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    const digest = digestOf(bytes)
    if (!(await this.blobs.verify(digest))) await this.blobs.ingest([bytes], { digest })
    return { mediaType, digest, size: bytes.length }
  }

  /**
   * Makes a model of layers that are in the store: writes its config, then its manifest.
   * Errors: those of reading the GGUF file (`ERR_MODEL_INVALID`), `ERR_STORE`, `ERR_DISK_FULL`.
   */
  async createModel(
    name: ModelName | string,
    { layers, annotations, signal }: CreateModelOptions,
  ): Promise<StoredModel> {
    const model = layers.find(({ mediaType }) => mediaType === mediaTypes.model)
    if (model === undefined) throw new LlameroError('ERR_OPTION_INVALID', 'Expected one layer to be a model.')
    const config = await describeModel(
      this.blobs.path(model.digest),
      layers.map(({ digest }) => digest),
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
    const { name: spelling } = await this.writeManifest(name, encodeManifest(manifest satisfies Manifest))
    return this.resolve(spelling)
  }

  /**
   * Puts a manifest under a name, byte for byte, in one step: whoever reads sees the old one or the new one. Its blobs
   * must be in the store. Errors: `ERR_MANIFEST_INVALID`, `ERR_STORE`, `ERR_DISK_FULL`.
   */
  async writeManifest(name: ModelName | string, bytes: Uint8Array): Promise<ListedModel> {
    const { manifest } = parseManifest(bytes)
    for (const layer of [manifest.config, ...manifest.layers]) {
      if ((await this.blobs.sizeBytes(layer.digest)) !== layer.size) {
        throw new LlameroError(
          'ERR_STORE',
          `Expected the blob ${layer.digest} to be in the store before the manifest that names it.`,
        )
      }
    }
    const spelling = await this.#spelling(name)
    await onDisk({ doing: 'write a manifest', directory: this.directory }, async () => {
      await mkdir(ingestDirectory(this.directory), { recursive: true, mode: 0o755 })
      await replaceFile(manifestPath(this.directory, spelling), temporaryPath(this.directory, await newToken()), bytes)
    })
    return this.#read(spelling)
  }

  /** Throws `ERR_DISK_FULL`, with both numbers, if that many bytes will not fit. */
  async requireSpace(neededBytes: number, doing: string): Promise<void> {
    const work = { doing, directory: this.directory, neededBytes }
    await onDisk(work, () => mkdir(this.directory, { recursive: true, mode: 0o755 }))
    await requireSpace(work)
  }

  #names(): Promise<ModelName[]> {
    return onDisk({ doing: 'list the models', directory: this.directory }, () => storedNames(this.directory))
  }

  async #spelling(name: ModelName | string): Promise<ModelName> {
    const wanted = typeof name === 'string' ? parseName(name) : checkName(name)
    return storedSpelling(wanted, await this.#names())
  }

  async #read(name: ModelName): Promise<ListedModel> {
    const shownName = displayName(name)
    const { bytes, modifiedAt } = await this.#readManifestFile(name, shownName)
    const { manifest, digest } = readOwnManifest(bytes, shownName)
    const { config, layers, annotations = {} } = manifest
    const sizeBytes = layers.reduce((sum, { size }) => sum + size, config.size)
    return { name, displayName: shownName, manifestDigest: digest, config, layers, annotations, sizeBytes, modifiedAt }
  }

  async #readManifestFile(name: ModelName, shownName: string): Promise<{ bytes: Uint8Array; modifiedAt: Date }> {
    return onDisk({ doing: `read the manifest of ${shownName}`, directory: this.directory }, async () => {
      const path = manifestPath(this.directory, name)
      const file = await open(path, readWithoutWaiting).catch((error: unknown) => {
        if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw notFound(shownName)
        throw error
      })
      try {
        const found = await file.stat()
        if (!found.isFile()) throw notFound(shownName)
        if (found.size > manifestLimits.bytes) throw damaged(shownName, `it has ${formatBytes(found.size)}`)
        return { bytes: await file.readFile(), modifiedAt: found.mtime }
      } finally {
        await file.close()
      }
    })
  }
}

function readOwnManifest(bytes: Uint8Array, shownName: string): ReadManifest {
  try {
    return parseManifest(bytes)
  } catch (error) {
    if (!(error instanceof LlameroError)) throw error
    throw damaged(shownName, error.message, error)
  }
}

function damaged(shownName: string, reason: string, cause?: unknown): LlameroError {
  return new LlameroError(
    'ERR_MANIFEST_INVALID',
    `The manifest of ${shownName} is damaged: ${reason} Pull the model again to heal it.`,
    {
      cause,
      details: { model: shownName },
    },
  )
}

function notFound(shownName: string): LlameroError {
  return new LlameroError('ERR_MODEL_NOT_FOUND', `The model ${shownName} is not in the store. Pull it first.`, {
    details: { model: shownName },
  })
}
