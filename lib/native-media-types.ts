/** The part of the native boundary that turns pictures and sound into what a model reads. */
import type { NativeCancelFlag, NativeHandle, NativeModel } from './native-types.js'

export type NativeProjector = NativeHandle<'projector'>
/** An encoded picture or sound; holds its embeddings until it is released or collected. */
export type NativeMedium = NativeHandle<'medium'>

export interface NativeProjectorOptions {
  readonly path: string
  readonly useGpu: boolean
  readonly threads: number
  /** Encoded media that are kept for the next time, in bytes of their embeddings. */
  readonly cacheBytes: number
  /** Most tokens that the engine computes in one graph run. */
  readonly mostTogether: number
}

export interface NativeProjectorInfo {
  readonly images: boolean
  readonly audio: boolean
}

export interface NativeProjectorStats {
  /** Media that went through the encoder. */
  readonly encoded: number
  /** Media that were encoded already. */
  readonly reused: number
  /** Time for decoding files and encoding, summed, in ms. */
  readonly encodeMs: number
  /** Encoded media that are kept. */
  readonly cached: number
  readonly cachedBytes: number
}

/** A medium in a request: its tokens stand there from index `at` on. */
export interface NativePlacedMedium {
  readonly at: number
  readonly medium: NativeMedium
}

export interface MediaAddon {
  /** Loads the projector of a model; the file must have been judged. */
  projectorLoad(model: NativeModel, options: NativeProjectorOptions): Promise<NativeProjector>
  projectorInfo(projector: NativeProjector): NativeProjectorInfo
  projectorStats(projector: NativeProjector): NativeProjectorStats
  /** Idempotent; what is being encoded is finished. */
  projectorClose(projector: NativeProjector): void
  /**
   * Decodes and encodes a file whose header was judged, off the event loop and one at a time, unless `digest` is known.
   * That is 32 bytes which tell the file and the projector. Rejects with `ERR_MEDIA_INVALID`, `ERR_UNSUPPORTED`, and with
   * `ERR_CANCELLED` if the flag is raised before its turn comes, or between the parts of an image.
   */
  mediumEncode(
    projector: NativeProjector,
    kind: 'image' | 'audio',
    digest: Uint8Array,
    bytes: Uint8Array,
    cancelFlag: NativeCancelFlag,
  ): Promise<NativeMedium>
  /** What stands for it in a prompt: tokens of the vocabulary around it, and negative ids made of the digest. */
  mediumTokens(medium: NativeMedium): Int32Array
  /** Lets go of it; requests that were submitted with it keep what they need. */
  mediumRelease(medium: NativeMedium): void
}
