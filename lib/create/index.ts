export type { ConversionOptions } from './conversion.js'
export { create, type Creation, type CreateOptions } from './create.js'
