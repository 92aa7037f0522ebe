export type { ConversionOptions } from './conversion.js'
export type { BasePullOptions } from './base-model.js'
export { create, type Creation, type CreateOptions } from './create.js'
