import { invalidOption } from '../chat/index.js'
import type { NativeScaledAdapter } from '../native-types.js'
import { adapterDigest, isUsable, nativeAdapter, type Adapter } from './adapter.js'

/** An adapter with its scale filled in. */
export interface ScaledValue {
  readonly adapter: Adapter
  readonly scale: number
}

/** The adapters that a request or a session is computed with, each once; their order does not matter. */
export type AdapterSet = readonly ScaledValue[]

/** Throws `ERR_OPTION_INVALID` for an adapter of another model than `owner`, `ERR_DISPOSED` for a closed one. */
export function requireAdapters(set: AdapterSet, owner: object): void {
  for (const [index, { adapter }] of set.entries()) {
    if (!isUsable(adapter, owner)) throw invalidOption(`adapters[${index}]`, 'an adapter of this model', adapter)
  }
}

/** A request that uses them enters the engine when `entered` settles, which never rejects; until then they stay open. */
export function holdAdapters(set: AdapterSet, entered: Promise<void>): void {
  for (const { adapter } of set) adapter.hold(entered)
}

export function nativeAdapters(set: AdapterSet): NativeScaledAdapter[] {
  return set.map(({ adapter, scale }) => ({ adapter: nativeAdapter(adapter), scale }))
}

/** Text that is equal for sets that compute the same, also in another process; '' for the model alone. */
export function adapterSetIdentity(set: AdapterSet): string {
  return set
    .map(({ adapter, scale }) => ({ digest: adapterDigest(adapter), scale: Math.fround(scale) })) // native code's
    .filter(({ scale }) => scale !== 0)
    .map(({ digest, scale }) => `${digest}*${scale}`)
    .sort()
    .join(' ')
}
