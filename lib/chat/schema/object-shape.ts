import { type Clause, conjunctionOf, type Part, valuesOf } from './conjunction.js'
import type { Shape, ShapeProperty, Shaper } from './grammar-shape.js'
import { below, unsupported } from './json-schema.js'

const maxOptional = 256

/**
 * The shape of objects that meet all clauses. Where properties are named, others come only if the schema allows them
 * expressly: a model that may always add one more rarely ends.
 */
export function objectShape(clauses: readonly Clause[], shaper: Shaper): Shape | undefined {
  for (const clause of clauses) {
    for (const keyword of ['minProperties', 'maxProperties'] as const) {
      if (clause.schema[keyword] !== undefined) shaper.relax(clause, keyword)
    }
  }
  const required = new Set(clauses.flatMap(({ schema }) => schema.required ?? []))
  const keys = keysOf(clauses, shaper)
  const names = new Set([
    ...clauses.flatMap(({ schema }) => Object.keys(schema.properties ?? {})),
    ...(keys ?? []),
    ...required,
  ])
  const properties: ShapeProperty[] = []
  for (const name of names) {
    if (keys !== undefined && !keys.has(name)) {
      if (required.has(name)) return undefined
      continue
    }
    const shape = shaper.shape(propertyParts(clauses, name))
    if (shape !== undefined) properties.push({ name, shape, required: required.has(name) })
    else if (required.has(name)) return undefined
  }
  const optional = properties.length - required.size
  if (optional > maxOptional) {
    throw unsupported(clauses[0]?.pointer ?? '', `it has ${optional} optional properties, ${maxOptional} are allowed`)
  }
  return { kind: 'object', properties, others: keys === undefined ? othersOf(clauses, properties, shaper) : undefined }
}

function propertyParts(clauses: readonly Clause[], name: string): Part[] {
  return clauses.flatMap(({ schema: { properties, additionalProperties }, pointer }) => {
    const own = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined
    if (own !== undefined) return [{ schema: own, pointer: below(pointer, 'properties', name) }]
    if (additionalProperties === undefined) return []
    return [{ schema: additionalProperties, pointer: below(pointer, 'additionalProperties') }]
  })
}

/** The names that `propertyNames` lists; it is relaxed if it says anything else. */
function keysOf(clauses: readonly Clause[], shaper: Shaper): ReadonlySet<string> | undefined {
  let keys: Set<string> | undefined
  for (const clause of clauses) {
    const { propertyNames } = clause.schema
    if (propertyNames === undefined || propertyNames === true) continue
    const values = typeof propertyNames === 'boolean' ? [] : plainValues(propertyNames)
    if (values === 'any') continue
    if (values === undefined) {
      shaper.relax(clause, 'propertyNames')
      continue
    }
    const listed = new Set(values.filter((value) => typeof value === 'string'))
    keys = keys === undefined ? listed : new Set([...keys].filter((key) => listed.has(key)))
  }
  return keys
}

function plainValues(schema: Exclude<Part['schema'], boolean>): ReturnType<typeof valuesOf> | 'any' {
  if (Object.keys(schema).every((keyword) => keyword === 'type')) return 'any'
  if (schema.$ref !== undefined || schema.allOf !== undefined) return undefined
  return valuesOf(conjunctionOf([{ schema, pointer: '' }], (_, from) => ({ schema: true, pointer: from })).clauses)
}

function othersOf(clauses: readonly Clause[], properties: readonly ShapeProperty[], shaper: Shaper): Shape | undefined {
  const parts = clauses.flatMap(({ schema: { additionalProperties }, pointer }) =>
    additionalProperties === undefined
      ? []
      : [{ schema: additionalProperties, pointer: below(pointer, 'additionalProperties') }],
  )
  if (parts.length === 0) return properties.length === 0 ? { kind: 'any' } : undefined
  // llama.cpp's rule for other names takes the characters of the known ones apart, and these four break it.
  if (properties.some(({ name }) => name === '' || name === '*' || /["\\\]^]/.test(name))) return undefined
  return shaper.shape(parts)
}
