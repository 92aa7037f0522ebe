import { invalidModel, quoted } from './fault.js'
import type { GgufFile } from './gguf-file.js'
import type { GgufStrings } from './string-array.js'
import type { GgufNumbers, GgufValue } from './value.js'

/** llama.cpp refuses a known key of another type, so these do too: `undefined` means that the key is absent. */
export function readString(file: GgufFile, key: string): string | undefined {
  return read(file, key, 'string')?.value
}

export function readU32(file: GgufFile, key: string): number | undefined {
  return read(file, key, 'uint32')?.value
}

export function readF32(file: GgufFile, key: string): number | undefined {
  return read(file, key, 'float32')?.value
}

export function readBool(file: GgufFile, key: string): boolean | undefined {
  return read(file, key, 'bool')?.value
}

export function readStrings(file: GgufFile, key: string): GgufStrings | undefined {
  const found = read(file, key, 'array')
  if (found === undefined || found.elementType === 'string') return found?.value
  throw wrongType(key, 'an array of strings', found)
}

/** An array of numbers with one of the element types. */
export function readNumbers(file: GgufFile, key: string, elementTypes: readonly string[]): GgufNumbers | undefined {
  const found = read(file, key, 'array')
  if (found === undefined) return undefined
  if (found.elementType !== 'string' && elementTypes.includes(found.elementType)) return found.value
  throw wrongType(key, `an array of ${elementTypes.join(' or ')}`, found)
}

/** One number per layer, or one for all. */
export function readPerLayer(file: GgufFile, key: string, layers: number): readonly number[] | undefined {
  const found = file.metadata.get(key)
  if (found?.type !== 'array') {
    const value = readU32(file, key)
    return value === undefined ? undefined : Array<number>(layers).fill(value)
  }
  const values = readNumbers(file, key, ['uint32', 'int32']) ?? []
  if (values.length !== layers) {
    throw invalidModel(`${quoted(key)} has ${values.length} entries; ${layers} were expected, one per layer.`, { key })
  }
  return Array.from(values as Iterable<number>)
}

function read<Type extends GgufValue['type']>(
  file: GgufFile,
  key: string,
  type: Type,
): Extract<GgufValue, { type: Type }> | undefined {
  const found = file.metadata.get(key)
  if (found === undefined || found.type === type) return found as Extract<GgufValue, { type: Type }> | undefined
  throw wrongType(key, type === 'array' ? 'an array' : `a ${type}`, found)
}

function wrongType(key: string, expected: string, found: GgufValue): Error {
  const shown = found.type === 'array' ? `an array of ${found.elementType}` : `a ${found.type}`
  return invalidModel(`${quoted(key)} is ${shown}; ${expected} was expected.`, { key })
}

/** The value, or the fault that the key is missing. */
export function required<Value>(value: Value | undefined, key: string): Value {
  if (value === undefined) throw invalidModel(`the metadata key ${quoted(key)} is missing.`, { key })
  return value
}

/** Throws unless `least <= value <= most`. */
export function inRange(key: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value
  throw invalidModel(`${quoted(key)} is ${value}; ${least} to ${most} was expected.`, { key, value })
}
