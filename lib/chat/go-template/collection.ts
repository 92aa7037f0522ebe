import { Refusal } from './fault.js'
import type { Fuel } from './fuel.js'
import { intValue, isTrusted, missing, stringValue, typeName, type GoValue } from './value.js'

/** `len`: bytes of a text, elements of a list or map. */
export function length(value: GoValue, fuel: Fuel): GoValue {
  return intValue(lengthOf(value, fuel), isTrusted(value))
}

function lengthOf(value: GoValue, fuel: Fuel): number {
  switch (value.kind) {
    case 'string':
      fuel.spendOnLength(value.text.length)
      return Buffer.byteLength(value.text)
    case 'list':
      return value.items?.length ?? 0
    case 'map':
      return value.entries?.size ?? 0
    case 'missing':
    case 'nil':
      throw new Refusal('error calling len: len of nil pointer')
    default:
      throw new Refusal(`error calling len: len of type ${typeName(value)}`)
  }
}

/** `index`: what lies at a key or position, and there at the next one. */
export function index(value: GoValue, keys: readonly GoValue[], fuel: Fuel): GoValue {
  if (isNothing(value)) throw refusal('index', 'index of untyped nil')
  return keys.reduce((item, key) => elementAt(item, key, fuel), value)
}

function elementAt(value: GoValue, key: GoValue, fuel: Fuel): GoValue {
  switch (value.kind) {
    case 'missing':
    case 'nil':
      throw refusal('index', 'index of nil pointer')
    case 'list': {
      const items = value.items ?? []
      return items[positionOf('index', key, items.length - 1)] ?? missing
    }
    case 'string': {
      const bytes = bytesOf(value.text, fuel)
      return intValue(bytes[positionOf('index', key, bytes.length - 1)] ?? 0, isTrusted(value), 'uint8')
    }
    case 'map':
      if (isNothing(key)) throw refusal('index', 'value is nil; should be of type string')
      if (key.kind !== 'string') throw refusal('index', `value has type ${typeName(key)}; should be string`)
      return value.entries?.get(key.text) ?? value.zero
    default:
      throw refusal('index', `can't index item of type ${typeName(value)}`)
  }
}

/** `slice`: a part of a text, counted in bytes, or of a list. */
export function slice(value: GoValue, bounds: readonly GoValue[], fuel: Fuel): GoValue {
  if (isNothing(value)) throw refusal('slice', 'slice of untyped nil')
  if (bounds.length > 3) throw refusal('slice', `too many slice indexes: ${bounds.length}`)
  if (value.kind === 'string') {
    if (bounds.length === 3) throw refusal('slice', 'cannot 3-index slice a string')
    const bytes = bytesOf(value.text, fuel)
    const [start, end] = rangeOf(bounds, bytes.length)
    fuel.spendOnLength(16 * (end - start))
    return stringValue(bytes.subarray(start, end).toString(), isTrusted(value))
  }
  if (value.kind !== 'list') throw refusal('slice', `can't slice item of type ${typeName(value)}`)
  const items = value.items ?? []
  fuel.spendOnLength(8 * items.length)
  const [start, end] = rangeOf(bounds, items.length)
  return { ...value, items: value.items && items.slice(start, end) }
}

function rangeOf(bounds: readonly GoValue[], size: number): readonly [number, number] {
  const [start = 0, end = size, most = size] = bounds.map((bound) => positionOf('slice', bound, size))
  if (start > end) throw refusal('slice', `invalid slice index: ${start} > ${end}`)
  if (end > most) throw refusal('slice', `invalid slice index: ${end} > ${most}`)
  return [start, end]
}

function positionOf(name: string, key: GoValue, most: number): number {
  if (isNothing(key)) throw refusal(name, 'cannot index slice/array with nil')
  if (key.kind !== 'int') throw refusal(name, `cannot index slice/array with type ${typeName(key)}`)
  if (key.value < 0n || key.value > BigInt(most)) throw refusal(name, `index out of range: ${key.value}`)
  return Number(key.value)
}

function bytesOf(text: string, fuel: Fuel): Buffer {
  fuel.spendOnLength(8 * text.length)
  return Buffer.from(text)
}

function isNothing({ kind }: GoValue): boolean {
  return kind === 'missing' || kind === 'nil'
}

function refusal(name: string, words: string): Refusal {
  return new Refusal(`error calling ${name}: ${words}`)
}
