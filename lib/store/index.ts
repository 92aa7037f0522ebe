export { Blobs, type BlobDescriptor, type IngestOptions } from './blobs.js'
export { digestHex, digestOf, parseDigest, shortDigest, type Digest } from './digest.js'
export { formatBytes, readWithoutWaiting } from './disk.js'
export type { PartIdentity } from './layout.js'
export type { HeldLock, LockOptions } from './lock.js'
export {
  encodeManifest,
  manifestLimits,
  mediaTypes,
  parseManifest,
  type Layer,
  type Manifest,
  type ReadManifest,
} from './manifest.js'
export { checkModel, describeModel, type ModelConfig } from './model-config.js'
export {
  checkName,
  defaultName,
  displayName,
  isNamePart,
  parseName,
  sameName,
  type ModelName,
  type NamePart,
} from './name.js'
export { PartialFiles, type PartialFile } from './partial-files.js'
export {
  Store,
  type CreateModelOptions,
  type ListedModel,
  type StoredModel,
  type StoreListing,
  type StoreOptions,
  type StoreWarning,
} from './store.js'
