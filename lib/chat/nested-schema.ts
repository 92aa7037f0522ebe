import type { JsonObject, JsonValue } from './json.js'

/**
 * A schema that can stand inside another: what it refers to within itself is found there too, under `$defs` of the
 * whole. Returns what goes into `$defs` and the reference to it.
 */
export function nested(
  schema: JsonObject,
  name: string,
): { readonly definition: JsonObject; readonly use: JsonObject } {
  const at = `#/$defs/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
  return { definition: rebased(schema, at) as JsonObject, use: { $ref: at } }
}

function rebased(value: JsonValue, base: string): JsonValue {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((item) => rebased(item, base))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([key, item]) => {
      const isReference = key === '$ref' && typeof item === 'string' && item.startsWith('#')
      return [key, isReference ? base + item.slice(1) : rebased(item, base)]
    }),
  )
}
