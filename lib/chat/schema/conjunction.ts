import type { JsonValue } from '../json.js'
import { below, type JsonSchema, type SubSchema, type TypeName, typeNames, unsupported } from './json-schema.js'

/** A schema and where it stands. */
export interface Part {
  readonly schema: SubSchema
  readonly pointer: string
}

/** A part that is no mere `true` or `false`. */
export interface Clause {
  readonly schema: JsonSchema
  readonly pointer: string
}

/** What holds for one value: clauses without references and `allOf`, which are resolved. */
export interface Conjunction {
  readonly clauses: readonly Clause[]
  /** Whether one of the parts was `false`. */
  readonly never: boolean
}

/** Finds what `$ref`s refer to. */
export type Resolve = (ref: string, from: string) => Part

/** A resolver for references within `root`. Throws `ERR_SCHEMA_UNSUPPORTED` for others. */
export function resolver(root: SubSchema): Resolve {
  return (ref, from) => {
    if (ref !== '#' && !ref.startsWith('#/')) {
      throw unsupported(from, `"${ref.slice(0, 80)}" is no reference into this schema, such as #/$defs/name`)
    }
    let pointer = ref.slice(1)
    try {
      pointer = decodeURIComponent(pointer)
    } catch {
      // A percent sign that stands for itself.
    }
    let found: unknown = root
    for (const step of pointer.split('/').slice(1)) {
      const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
      found =
        typeof found === 'object' && found !== null && Object.hasOwn(found, key) ? (found as never)[key] : undefined
    }
    const isSchema =
      typeof found === 'boolean' || (typeof found === 'object' && found !== null && !Array.isArray(found))
    if (!isSchema) throw unsupported(from, `"${ref.slice(0, 80)}" refers to nothing`)
    return { schema: found as SubSchema, pointer }
  }
}

/** Takes references and `allOf` apart. Throws `ERR_SCHEMA_UNSUPPORTED` for references that go in a circle. */
export function conjunctionOf(parts: readonly Part[], resolve: Resolve): Conjunction {
  const clauses: Clause[] = []
  let never = false
  const visit = ({ schema, pointer }: Part, through: ReadonlySet<string>): void => {
    if (typeof schema === 'boolean') {
      never ||= !schema
      return
    }
    if (through.has(pointer)) throw unsupported(pointer, 'its reference leads back to itself')
    const path = new Set([...through, pointer])
    const { $ref, allOf, ...clause } = schema
    if ($ref !== undefined) visit(resolve($ref, pointer), path)
    allOf?.forEach((each, index) => visit({ schema: each, pointer: below(pointer, 'allOf', index) }, path))
    if (!clauses.some((known) => known.pointer === pointer)) clauses.push({ schema: clause, pointer })
  }
  for (const part of parts) visit(part, new Set())
  return { clauses, never }
}

/** The keywords that speak of one type only: without `type`, they stand for it. */
const hints: Readonly<Partial<Record<keyof JsonSchema, TypeName>>> = {
  properties: 'object',
  required: 'object',
  additionalProperties: 'object',
  propertyNames: 'object',
  minProperties: 'object',
  maxProperties: 'object',
  items: 'array',
  prefixItems: 'array',
  contains: 'array',
  minItems: 'array',
  maxItems: 'array',
  minLength: 'string',
  maxLength: 'string',
  pattern: 'string',
  format: 'string',
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'number',
  exclusiveMaximum: 'number',
  multipleOf: 'number',
}

/** The types that all clauses allow; a schema without one means the type that its keywords speak of. */
export function typesOf(clauses: readonly Clause[]): ReadonlySet<TypeName> {
  let types = new Set<TypeName>(typeNames.filter((name) => name !== 'integer'))
  for (const { schema } of clauses) {
    if (schema.type === undefined) continue
    const given = new Set(typeof schema.type === 'string' ? [schema.type] : schema.type)
    types = new Set([...types].flatMap((type) => narrowed(type, given)))
  }
  if (clauses.some(({ schema }) => schema.type !== undefined)) return types
  const hinted = new Set(
    clauses.flatMap(({ schema }) => Object.keys(schema).flatMap((keyword) => hints[keyword as keyof JsonSchema] ?? [])),
  )
  return hinted.size === 0 ? types : hinted
}

function narrowed(type: TypeName, given: ReadonlySet<TypeName>): TypeName[] {
  if (given.has(type) || (type === 'integer' && given.has('number'))) return [type]
  return type === 'number' && given.has('integer') ? ['integer'] : []
}

/** The type of a value; whole numbers are integers. */
export function typeOfValue(value: JsonValue): TypeName {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value as TypeName
}

/** The values that all `enum`s and `const`s of the clauses allow; `undefined` if there are none of these. */
export function valuesOf(clauses: readonly Clause[]): JsonValue[] | undefined {
  let values: JsonValue[] | undefined
  for (const { schema } of clauses) {
    for (const list of [schema.enum, schema.const === undefined ? undefined : [schema.const]]) {
      if (list === undefined) continue
      const texts = new Set(list.map((value) => JSON.stringify(value)))
      values = (values ?? [...list]).filter((value) => texts.has(JSON.stringify(value)))
    }
  }
  if (values === undefined) return undefined
  const types = typesOf(
    clauses.map(({ schema: { type }, pointer }) => ({ schema: type === undefined ? {} : { type }, pointer })),
  )
  return values.filter((value) => {
    const type = typeOfValue(value)
    return types.has(type) || (type === 'integer' && types.has('number'))
  })
}
