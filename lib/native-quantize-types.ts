/** The part of the native boundary that converts model files. */
import type { NativeCancelFlag, NativeMetadataOverride } from './native-types.js'

export interface NativeQuantizeOptions {
  /** A model file that was judged; of a split one the first part. */
  readonly source: string
  /** Overwritten; removed if anything fails, also when the environment ends. */
  readonly target: string
  /** A number of `general.file_type`. */
  readonly fileType: number
  /** Leave tensors as they are and only join parts; `fileType` does not count. */
  readonly copy: boolean
  readonly allowRequantize: boolean
  /** A file with an importance matrix that was judged; '' for none. */
  readonly imatrix: string
  /** What the target's metadata calls it. */
  readonly imatrixName: string
  readonly threads: number
  /** Of the source; the target has them in its metadata. */
  readonly metadataOverrides: readonly NativeMetadataOverride[]
  readonly cancelFlag: NativeCancelFlag
}

/** The addon's export for quantising. */
export interface QuantizeAddon {
  /** Converts on a thread of its own. */
  quantize(options: NativeQuantizeOptions, onProgress: (fraction: number) => void): Promise<void>
}
