/** The part of the native boundary that loads model files. */
import type { NativeCancelFlag } from './native-types.js'

/** Metadata that counts instead of what the file says: a text of at most 127 bytes, or a float. */
export interface NativeMetadataOverride {
  readonly key: string
  readonly value: string | number
}

export interface NativeLoadOptions {
  readonly path: string
  /** Layers on a GPU; -1: all; 0: nothing is left to a GPU. */
  readonly gpuLayers: number
  readonly memoryMap: boolean
  /** Only vocabulary and metadata; such a model cannot make an engine. */
  readonly vocabularyOnly: boolean
  readonly checkTensors: boolean
  /** Load the trained head (MTP) too, with which the model's engine proposes tokens; ERR_UNSUPPORTED without one. */
  readonly mtp: boolean
  readonly metadataOverrides: readonly NativeMetadataOverride[]
  readonly cancelFlag: NativeCancelFlag
}
