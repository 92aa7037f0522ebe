export {
  adapterBase,
  checkControlVector,
  checkLora,
  type AdapterBase,
  type Direction,
  type LoraSummary,
} from './adapter-check.js'
export {
  modelCapabilities,
  projectorHears,
  templateThinks,
  type Capability,
  type CapabilityOptions,
} from './capabilities.js'
export { fileTypeName, fileTypes, type FileType } from './file-type.js'
export { readGguf, type GgufFile, type GgufPart, type ReadGgufOptions } from './gguf-file.js'
export { validateModel, type ValidateModelOptions } from './model-check.js'
export { formatCount, summarizeModel, type ModelSummary } from './model-summary.js'
export { checkProjector, type ProjectorSummary } from './projector-check.js'
export { checkImatrix } from './imatrix-check.js'
export { metadataOverrides, type MetadataOverrides } from './ollama-metadata.js'
export { readGgufModel } from './split.js'
export type { GgufStrings } from './string-array.js'
export type { GgufTensor } from './tensor.js'
export type { GgufBigIntType, GgufNumbers, GgufNumberType, GgufValue } from './value.js'
