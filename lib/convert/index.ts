export { convert, type Conversion, type ConvertOptions, type ConvertProgress } from './convert.js'
