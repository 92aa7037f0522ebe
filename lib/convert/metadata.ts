import { packStrings } from '../gguf/string-array.js'
import type { GgufValue } from '../gguf/value.js'

/** Keys of the new file with their values; `undefined` leaves a key out. */
export type Entries = Readonly<Record<string, GgufValue | undefined>>

export const u32 = (value: number): GgufValue => ({ type: 'uint32', value })
export const f32 = (value: number): GgufValue => ({ type: 'float32', value })
export const bool = (value: boolean): GgufValue => ({ type: 'bool', value })
export const text = (value: string): GgufValue => ({ type: 'string', value })
export const texts = (value: readonly string[]): GgufValue => ({
  type: 'array',
  elementType: 'string',
  value: packStrings(value),
})
export const f32s = (value: Float32Array): GgufValue => ({ type: 'array', elementType: 'float32', value })
export const i32s = (value: Int32Array): GgufValue => ({ type: 'array', elementType: 'int32', value })
export const bools = (value: readonly boolean[]): GgufValue => ({
  type: 'array',
  elementType: 'bool',
  value: Uint8Array.from(value, Number),
})

/** A value made of another if there is one. */
export function optional<Value>(make: (value: Value) => GgufValue, value: Value | undefined): GgufValue | undefined {
  return value === undefined ? undefined : make(value)
}
