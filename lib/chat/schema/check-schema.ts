import type { JsonValue } from '../json.js'
import { describeValue } from '../value.js'
import { below, type JsonSchema, type SubSchema, typeNames, unsupported } from './json-schema.js'

const maxBytes = 65_536
const maxDepth = 32
const maxOptional = 256
const maxValues = 1024
const maxCount = 2000
const maxPatternBytes = 512

/** How the value of a keyword is read: checked, and copied. */
type Reader = (value: unknown, pointer: string, depth: number) => unknown

/**
 * The keywords that count, and what their values must be; annotations and what nobody knows are left out. Those that
 * can't be followed are refused by name.
 */
const keywords: Readonly<Record<string, Reader>> = {
  $ref: string,
  type: (value, pointer) => {
    const names = Array.isArray(value) ? (value as unknown[]) : [value]
    if (names.length === 0) throw unsupported(pointer, 'it allows no type')
    for (const name of names) {
      if (!(typeNames as readonly unknown[]).includes(name)) {
        throw unsupported(pointer, `a type must be one of ${typeNames.join(', ')}; got ${describeValue(name)}`)
      }
    }
    return value
  },
  enum: (value, pointer, depth) => {
    const values = array(value, pointer)
    if (values.length === 0) throw unsupported(pointer, 'it lists no value')
    if (values.length > maxValues)
      throw unsupported(pointer, `it lists ${values.length} values, ${maxValues} are allowed`)
    return values.map((each, index) => json(each, below(pointer, index), depth))
  },
  const: json,
  allOf: schemas,
  anyOf: schemas,
  oneOf: schemas,
  not: schema,
  if: schema,
  then: schema,
  else: schema,
  properties: schemaMap,
  required: strings,
  additionalProperties: schema,
  propertyNames: schema,
  minProperties: count,
  maxProperties: count,
  dependentRequired: (value, pointer) => mapOf(value, pointer, strings),
  dependentSchemas: schemaMap,
  unevaluatedProperties: schema,
  items: (value, pointer, depth) =>
    Array.isArray(value) ? schemas(value, pointer, depth) : schema(value, pointer, depth),
  prefixItems: schemas,
  additionalItems: schema,
  minItems: count,
  maxItems: count,
  uniqueItems: (value, pointer) => {
    if (typeof value !== 'boolean') throw unsupported(pointer, `it must be true or false; got ${describeValue(value)}`)
    return value
  },
  contains: schema,
  minContains: count,
  maxContains: count,
  unevaluatedItems: schema,
  minLength: count,
  maxLength: count,
  pattern: (value, pointer) => {
    const bytes = Buffer.byteLength(string(value, pointer))
    if (bytes > maxPatternBytes) throw unsupported(pointer, `it has ${bytes} bytes, ${maxPatternBytes} are allowed`)
    return value
  },
  format: string,
  minimum: number,
  maximum: number,
  exclusiveMinimum: number,
  exclusiveMaximum: number,
  multipleOf: (value, pointer) => {
    if (number(value, pointer) <= 0) throw unsupported(pointer, 'it must be larger than 0')
    return value
  },
  $defs: schemaMap,
  definitions: schemaMap,
}

const refused: Readonly<Record<string, string>> = {
  patternProperties: 'list the properties, or use additionalProperties with propertyNames',
  $dynamicRef: 'use $ref with a JSON pointer',
  $recursiveRef: 'use $ref with a JSON pointer',
  dependencies: 'use dependentRequired or dependentSchemas',
}

/** Pairs of keywords of which the first must not be larger than the second. */
const bounds = [
  ['minLength', 'maxLength'],
  ['minItems', 'maxItems'],
  ['minProperties', 'maxProperties'],
  ['minimum', 'maximum'],
] as const

/**
 * The schema in a JSON text, checked and bounded before anything works on it: its size, its depth, the number of its
 * parts, and the values of its keywords. Throws `ERR_SCHEMA_UNSUPPORTED` with the place.
 */
export function checkSchema(text: string): SubSchema {
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) throw unsupported('', `it has ${bytes} bytes, ${maxBytes} are allowed`)
  return schema(JSON.parse(text), '', 0)
}

function schema(value: unknown, pointer: string, depth: number): SubSchema {
  if (typeof value === 'boolean') return value
  const given = object(value, pointer)
  if (depth > maxDepth) throw tooDeep(pointer)
  const entries: [string, unknown][] = []
  for (const [keyword, content] of Object.entries(given)) {
    const advice = Object.hasOwn(refused, keyword) ? refused[keyword] : undefined
    if (advice !== undefined) throw unsupported(pointer, `${keyword} is not supported: ${advice}`)
    const read = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined
    if (read !== undefined) entries.push([keyword, read(content, below(pointer, keyword), depth + 1)])
  }
  const checked = Object.fromEntries(entries) as Draft7Schema
  for (const [least, most] of bounds) {
    const [min, max] = [checked[least] ?? 0, checked[most]]
    if (max !== undefined && (least !== 'minimum' || checked.minimum !== undefined) && min > max) {
      throw unsupported(pointer, `${least} ${min} is larger than ${most} ${max}`)
    }
  }
  const required = new Set(checked.required)
  const optional = Object.keys(checked.properties ?? {}).filter((name) => !required.has(name)).length
  if (optional > maxOptional) {
    throw unsupported(pointer, `it has ${optional} optional properties, ${maxOptional} are allowed`)
  }
  return withTuple(checked)
}

type Draft7Schema = Omit<JsonSchema, 'items'> & {
  readonly items?: SubSchema | readonly SubSchema[]
  readonly additionalItems?: SubSchema
}

/** Draft 7 writes a tuple as `items` and its rest as `additionalItems`. */
function withTuple({ items, additionalItems, ...rest }: Draft7Schema): JsonSchema {
  if (!isTuple(items)) return items === undefined ? rest : { ...rest, items }
  const tuple = { ...rest, prefixItems: items }
  return additionalItems === undefined ? tuple : { ...tuple, items: additionalItems }
}

function isTuple(items: Draft7Schema['items']): items is readonly SubSchema[] {
  return Array.isArray(items)
}

function schemas(value: unknown, pointer: string, depth: number): SubSchema[] {
  const list = array(value, pointer)
  if (list.length === 0) throw unsupported(pointer, 'it lists no schema')
  return list.map((each, index) => schema(each, below(pointer, index), depth))
}

function schemaMap(value: unknown, pointer: string, depth: number): Record<string, SubSchema> {
  return mapOf(value, pointer, (each, at) => schema(each, at, depth))
}

function mapOf<T>(value: unknown, pointer: string, read: (value: unknown, pointer: string) => T): Record<string, T> {
  // fromEntries keeps a key such as __proto__ as data.
  return Object.fromEntries(
    Object.entries(object(value, pointer)).map(([key, each]) => [key, read(each, below(pointer, key))]),
  )
}

function json(value: unknown, pointer: string, depth: number): JsonValue {
  if (depth > maxDepth) throw tooDeep(pointer)
  if (typeof value !== 'object' || value === null) return value as JsonValue
  for (const each of Object.values(value)) json(each, pointer, depth + 1)
  return value as JsonValue
}

function strings(value: unknown, pointer: string): string[] {
  return array(value, pointer).map((each, index) => string(each, below(pointer, index)))
}

function string(value: unknown, pointer: string): string {
  if (typeof value !== 'string') throw unsupported(pointer, `it must be a string; got ${describeValue(value)}`)
  return value
}

function number(value: unknown, pointer: string): number {
  if (typeof value !== 'number') throw unsupported(pointer, `it must be a number; got ${describeValue(value)}`)
  return value
}

function count(value: unknown, pointer: string): number {
  const given = number(value, pointer)
  if (!Number.isInteger(given) || given < 0 || given > maxCount) {
    throw unsupported(pointer, `it must be a whole number from 0 to ${maxCount}; got ${given}`)
  }
  return given
}

function array(value: unknown, pointer: string): unknown[] {
  if (!Array.isArray(value)) throw unsupported(pointer, `it must be an array; got ${describeValue(value)}`)
  return value as unknown[]
}

function object(value: unknown, pointer: string): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unsupported(pointer, `it must be an object; got ${describeValue(value)}`)
  }
  return value
}

function tooDeep(pointer: string): ReturnType<typeof unsupported> {
  return unsupported(pointer, `it is nested more than ${maxDepth} levels deep`)
}
