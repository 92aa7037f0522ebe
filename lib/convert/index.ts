export { convert, type Conversion, type ConvertOptions } from './convert.js'
export { convertAdapter, type AdapterConversion, type ConvertAdapterOptions } from './convert-adapter.js'
export type { ConvertProgress } from './output.js'
