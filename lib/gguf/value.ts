import type { GgufStrings } from './string-array.js'

/** The scalar types of GGUF that are JavaScript numbers. */
export type GgufNumberType = 'uint8' | 'int8' | 'uint16' | 'int16' | 'uint32' | 'int32' | 'float32' | 'float64'
/** The scalar types of GGUF that need a bigint. */
export type GgufBigIntType = 'uint64' | 'int64'

/** An array of numbers, as the typed array of its element type; of booleans, as bytes 0 and 1. */
export type GgufNumbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array

/** One metadata value with its type in the file; `type` tells what `value` is. */
export type GgufValue =
  | { [Type in GgufNumberType]: { readonly type: Type; readonly value: number } }[GgufNumberType]
  | { [Type in GgufBigIntType]: { readonly type: Type; readonly value: bigint } }[GgufBigIntType]
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'array'; readonly elementType: 'string'; readonly value: GgufStrings }
  | {
      readonly type: 'array'
      readonly elementType: GgufNumberType | GgufBigIntType | 'bool'
      readonly value: GgufNumbers
    }

/** Names of the value types by their number in the file. */
export const valueTypes = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float32',
  'bool',
  'string',
  'array',
  'uint64',
  'int64',
  'float64',
] as const satisfies readonly GgufValue['type'][]

export type GgufValueType = (typeof valueTypes)[number]

/** The typed array of each element type. */
export const numberArrays = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const satisfies Record<Exclude<GgufValueType, 'string' | 'array'>, unknown>

/** Whether typed arrays of this machine hold numbers with the low byte first. */
export const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
