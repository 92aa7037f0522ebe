import type { Fuel } from './fuel.js'
import type { TextRun } from './runs.js'

/**
 * What a template computes with: Go's values as far as templates can meet them. Every field is a plain one of ours, and
 * keys of data live in a `Map`, so that no name leads to an object of JavaScript.
 */
export type GoValue = Missing | Nil | GoBool | GoInt | GoFloat | GoComplex | GoString | GoList | GoMap | GoStruct

/** No value at all, as Go's zero `reflect.Value`: prints `<no value>`. */
export interface Missing {
  readonly kind: 'missing'
}

/** A nil in a place that holds anything. */
export interface Nil {
  readonly kind: 'nil'
}

export interface GoBool {
  readonly kind: 'bool'
  readonly value: boolean
  readonly trusted: boolean
}

export interface GoInt {
  readonly kind: 'int'
  readonly type: 'int' | 'uint8'
  readonly value: bigint
  readonly trusted: boolean
}

export interface GoFloat {
  readonly kind: 'float'
  readonly value: number
  readonly trusted: boolean
}

/** Only literals make these. */
export interface GoComplex {
  readonly kind: 'complex'
  readonly real: number
  readonly imaginary: number
}

export interface GoString {
  readonly kind: 'string'
  readonly text: string
  /** The text in pieces, each from the template or from data. */
  readonly runs: readonly TextRun[]
}

export interface GoList {
  readonly kind: 'list'
  readonly type: GoType
  /** Undefined for Go's nil slice. */
  readonly items: readonly GoValue[] | undefined
}

export interface GoMap {
  readonly kind: 'map'
  readonly type: GoType
  /** In the order of {@link compareText}. Undefined for Go's nil map. */
  readonly entries: ReadonlyMap<string, GoValue> | undefined
  /** What a key that is not there gives. */
  readonly zero: GoValue
}

export interface GoStruct {
  readonly kind: 'struct'
  readonly type: GoStructType
  /** One value for each field of the type. */
  readonly values: ReadonlyMap<string, GoValue>
}

/** What a value can be asked for by name. */
export type Method = (value: GoValue, fuel: Fuel) => string

/** A type of composed values. */
export interface GoType {
  /** As Go's `%T` prints it. */
  readonly name: string
  /** What templates can call; `String` is how values print. None takes arguments. */
  readonly methods?: ReadonlyMap<string, Method>
  /** What is written as JSON in its place; undefined for itself. */
  readonly json?: (value: GoValue) => GoValue | undefined
}

export interface GoStructType extends GoType {
  readonly fields: readonly GoField[]
}

export interface GoField {
  readonly name: string
  /** Its key as JSON. */
  readonly key: string
  /** Left out of JSON when it is empty. */
  readonly omitEmpty?: boolean
}

export const missing: Missing = { kind: 'missing' }
export const nil: Nil = { kind: 'nil' }

/** `[]interface {}`. */
export const anyList: GoType = { name: '[]interface {}' }
/** `map[string]interface {}`. */
export const anyMap: GoType = { name: 'map[string]interface {}' }

export function boolValue(value: boolean, trusted: boolean): GoBool {
  return { kind: 'bool', value, trusted }
}

export function intValue(value: number | bigint, trusted: boolean, type: GoInt['type'] = 'int'): GoInt {
  return { kind: 'int', type, value: BigInt(value), trusted }
}

export function floatValue(value: number, trusted: boolean): GoFloat {
  return { kind: 'float', value, trusted }
}

export function stringValue(text: string, trusted: boolean): GoString {
  return { kind: 'string', text, runs: text === '' ? [] : [{ text, trusted }] }
}

export function stringOfRuns(runs: readonly TextRun[]): GoString {
  return { kind: 'string', text: runs.map(({ text }) => text).join(''), runs }
}

/** A map with its keys in order. */
export function mapValue(type: GoType, entries: Iterable<readonly [string, GoValue]>, zero: GoValue = nil): GoMap {
  return { kind: 'map', type, entries: new Map([...entries].sort(([a], [b]) => compareText(a, b))), zero }
}

export function structValue(type: GoStructType, values: Readonly<Record<string, GoValue>>): GoStruct {
  return { kind: 'struct', type, values: new Map(type.fields.map(({ name }) => [name, values[name] ?? missing])) }
}

/** Whether the author of the template chose all of a value. */
export function isTrusted(value: GoValue): boolean {
  switch (value.kind) {
    case 'bool':
    case 'int':
    case 'float':
      return value.trusted
    case 'string':
      return value.runs.every(({ trusted }) => trusted)
    case 'list':
    case 'map':
    case 'struct':
      return false
    case 'missing':
    case 'nil':
    case 'complex':
      return true
    default:
      return value satisfies never
  }
}

/** Whether a condition holds: whatever is not the zero of its type. */
export function isTrue(value: GoValue): boolean {
  switch (value.kind) {
    case 'missing':
    case 'nil':
      return false
    case 'bool':
      return value.value
    case 'int':
      return value.value !== 0n
    case 'float':
      return value.value !== 0
    case 'complex':
      return value.real !== 0 || value.imaginary !== 0
    case 'string':
      return value.text !== ''
    case 'list':
      return (value.items?.length ?? 0) > 0
    case 'map':
      return (value.entries?.size ?? 0) > 0
    case 'struct':
      return true
    default:
      return value satisfies never
  }
}

/** The type as Go names it. */
export function typeName(value: GoValue): string {
  switch (value.kind) {
    case 'missing':
    case 'nil':
      return 'nil'
    case 'bool':
    case 'string':
      return value.kind
    case 'int':
      return value.type
    case 'float':
      return 'float64'
    case 'complex':
      return 'complex128'
    case 'list':
    case 'map':
    case 'struct':
      return value.type.name
    default:
      return value satisfies never
  }
}

/** How a value with a `String` method prints; undefined for others. */
export function ownText(value: GoValue, fuel: Fuel): string | undefined {
  if (value.kind !== 'list' && value.kind !== 'map' && value.kind !== 'struct') return undefined
  return value.type.methods?.get('String')?.(value, fuel)
}

/** Go's order of strings, by their bytes: what lies beyond U+FFFF comes last, unlike in JavaScript. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
