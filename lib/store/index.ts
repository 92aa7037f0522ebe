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
export { damagedModel, modelNotFound } from './model-fault.js'
export type { ListedModel, StoreWarning } from './manifest-file.js'
export type { Capability } from './capabilities.js'
export { checkModel, describeModel, type ModelConfig, type ModelClaims } from './model-config.js'
export type { ModelDetails, ProjectorDetails, StoredMessage } from './model-details.js'
export {
  checkName,
  defaultName,
  displayName,
  isNamePart,
  parseName,
  sameName,
  sameText,
  type ModelName,
  type NamePart,
} from './name.js'
export { repeatedKey } from './repeated-key.js'
export { modelfileOf } from './stored-modelfile.js'
export { formatParameters, goNumber, type ModelParameters, type ModelParameter } from './model-parameters.js'
export { withOwnClaims } from './own-claims.js'
export { PartialFiles, type PartialFile } from './partial-files.js'
export type { PruneOptions, PruneReport } from './prune.js'
export {
  Store,
  type CreateModelOptions,
  type RemovedModel,
  type ReplaceOptions,
  type ShowOptions,
  type StoredModel,
  type StoreListing,
  type StoreOptions,
} from './store.js'
export type { BlobFault, DamagedBlob, VerifyOptions, VerifyProgress, VerifyReport } from './verify.js'
