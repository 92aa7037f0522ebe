import { createHash } from 'node:crypto'
import { readMedia, type MediaKind, type MediaSource } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { Addon, NativeMedium, NativeModel, NativeProjector, NativeProjectorInfo } from '../native-types.js'
import { onAbort } from './abort.js'
import { disposedError } from './engine.js'
import { createGate } from './gate.js'
import type { MediaMetrics } from './model-metrics.js'
import type { PlacedValues, ProjectorSource } from './model-options.js'

/** A picture or sound as it stands in a prompt. */
export interface EncodedMedium {
  /** Tokens that the model wants around it, and in between negative ids that tell its content. */
  readonly tokens: Int32Array
  /** Tells the content and what encoded it, the same in every process. */
  readonly digest: string
  readonly native: NativeMedium
}

/** What opening an encoder needs of a model's options. */
interface EncoderSetting extends Pick<PlacedValues, 'gpuLayers' | 'threads'> {
  readonly llamaTag: string
  readonly mostTogether: number
}

const cacheBytes = 256 * 2 ** 20
// One is encoded, the next one read and decoded; more at once would only hold files in memory.
const filesAtOnce = 2

export const noMedia: MediaMetrics = { encoded: 0, reused: 0, encodeMs: 0, cached: 0, cachedBytes: 0 }

/** The projector of an open model: encodes off the event loop, one medium at a time, and keeps the latest ones. */
export class MediaEncoder {
  readonly info: NativeProjectorInfo
  readonly #addon: Addon
  readonly #native: NativeProjector
  /** Tells what the same file becomes: the projector, and who decodes. */
  readonly #version: string
  readonly #gate = createGate(filesAtOnce)
  #closed = false

  private constructor(addon: Addon, native: NativeProjector, version: string) {
    this.info = addon.projectorInfo(native)
    this.#addon = addon
    this.#native = native
    this.#version = version
  }

  static async open(
    addon: Addon,
    model: NativeModel,
    { path, digest }: ProjectorSource,
    { gpuLayers, threads, llamaTag, mostTogether }: EncoderSetting,
  ): Promise<MediaEncoder> {
    const options = { path, useGpu: gpuLayers !== 0, threads, cacheBytes, mostTogether }
    return new MediaEncoder(addon, await addon.projectorLoad(model, options), JSON.stringify([llamaTag, digest]))
  }

  /** Reads, judges, decodes and encodes a file when its turn comes; what has begun goes on after an abort. */
  encode(kind: MediaKind, source: MediaSource, signal: AbortSignal | undefined): Promise<EncodedMedium> {
    return this.#gate(() => this.#encode(kind, source, signal))
  }

  async #encode(kind: MediaKind, source: MediaSource, signal: AbortSignal | undefined): Promise<EncodedMedium> {
    signal?.throwIfAborted()
    const { bytes } = await readMedia(kind, source)
    signal?.throwIfAborted()
    if (this.#closed) throw disposedError('open it again to go on')
    const digest = createHash('sha256').update(`${kind} ${this.#version}\n`).update(bytes).digest()
    const cancelFlag = this.#addon.createCancelFlag()
    const unlisten = signal && onAbort(signal, () => this.#addon.cancel(cancelFlag))
    try {
      const native = await this.#addon.mediumEncode(this.#native, kind, digest, bytes, cancelFlag)
      return { tokens: this.#addon.mediumTokens(native), digest: digest.toString('hex'), native }
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      unlisten?.()
    }
  }

  /** Frees what a medium holds, unless a request or the cache still needs it. */
  release({ native }: EncodedMedium): void {
    this.#addon.mediumRelease(native)
  }

  stats(): MediaMetrics {
    return this.#addon.projectorStats(this.#native)
  }

  close(): void {
    this.#closed = true
    this.#addon.projectorClose(this.#native)
  }
}

/** The media that one request has encoded; they are let go of when it has entered the engine, or failed. */
export class MediaOfRequest {
  readonly #encoder: MediaEncoder | undefined
  readonly #made: EncodedMedium[] = []
  #released = false

  constructor(encoder: MediaEncoder | undefined) {
    this.#encoder = encoder
  }

  async encode(kind: MediaKind, source: MediaSource, signal: AbortSignal | undefined): Promise<EncodedMedium> {
    if (this.#encoder === undefined) throw new LlameroError('ERR_UNSUPPORTED', 'This model takes no images or audio.')
    const medium = await this.#encoder.encode(kind, source, signal)
    if (this.#released) this.#encoder.release(medium)
    else this.#made.push(medium)
    return medium
  }

  release(): void {
    this.#released = true
    for (const medium of this.#made.splice(0)) this.#encoder?.release(medium)
  }
}
