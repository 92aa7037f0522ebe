import { conjunctionOf, type Part, type Resolve, typeOfValue, typesOf, valuesOf } from './conjunction.js'
import { below, type TypeName } from './json-schema.js'

/** What can be seen of a schema at a glance. */
interface Look {
  readonly types: ReadonlySet<TypeName>
  /** The values of properties that it requires and that may have few values only, as JSON. */
  readonly marks: ReadonlyMap<string, ReadonlySet<string>>
  /** Its own values, as JSON, if it lists them. */
  readonly values: ReadonlySet<string> | undefined
}

/**
 * Whether no value meets two of the schemas, as far as a look at their types, values and required constant properties
 * tells: then `oneOf` says no more than `anyOf`.
 */
export function areDisjoint(parts: readonly Part[], resolve: Resolve): boolean {
  const looks = parts.map((part) => lookAt(part, resolve))
  return looks.every((one, index) => looks.slice(index + 1).every((other) => apart(one, other)))
}

function apart(one: Look, other: Look): boolean {
  if (one.values !== undefined && other.values !== undefined) return noneShared(one.values, other.values)
  const shared = [...one.types].filter(
    (type) =>
      other.types.has(type) ||
      (type === 'integer' && other.types.has('number')) ||
      (type === 'number' && other.types.has('integer')),
  )
  if (shared.length === 0) return true
  if (shared.some((type) => type !== 'object')) return false
  return [...one.marks].some(([name, values]) => {
    const others = other.marks.get(name)
    return others !== undefined && noneShared(values, others)
  })
}

function noneShared(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return [...one].every((value) => !other.has(value))
}

function lookAt(part: Part, resolve: Resolve): Look {
  const { clauses } = conjunctionOf([part], resolve)
  const values = valuesOf(clauses)
  const required = new Set(clauses.flatMap(({ schema }) => schema.required ?? []))
  const marks = new Map<string, ReadonlySet<string>>()
  for (const { schema, pointer } of clauses) {
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      if (!required.has(name)) continue
      const inner = conjunctionOf([{ schema: property, pointer: below(pointer, 'properties', name) }], resolve)
      const few = valuesOf(inner.clauses)
      if (few !== undefined) marks.set(name, new Set(few.map((value) => JSON.stringify(value))))
    }
  }
  return {
    types: values === undefined ? typesOf(clauses) : new Set(values.map(typeOfValue)),
    marks,
    values: values === undefined ? undefined : new Set(values.map((value) => JSON.stringify(value))),
  }
}
