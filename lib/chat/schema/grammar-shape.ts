import type { JsonValue } from '../json.js'
import { type Clause, conjunctionOf, type Part, type Resolve, resolver, typesOf, valuesOf } from './conjunction.js'
import { areDisjoint } from './disjoint.js'
import {
  below,
  type JsonSchema,
  type RelaxedKeyword,
  type SubSchema,
  type TypeName,
  unsupported,
} from './json-schema.js'
import { arrayShape } from './array-shape.js'
import { numberShape } from './number-shape.js'
import { objectShape } from './object-shape.js'
import { stringShape } from './string-shape.js'

/**
 * What becomes a grammar: a schema in the few words that llama.cpp's converter turns into rules faithfully, with `text`
 * where a rule is written by us. `undefined` where nothing can be said at all.
 */
export type Shape =
  | { readonly kind: 'any' }
  | { readonly kind: 'type'; readonly type: TypeName }
  | { readonly kind: 'values'; readonly values: readonly JsonValue[] }
  | { readonly kind: 'text'; readonly grammar: string }
  | { readonly kind: 'reference'; readonly name: string }
  | { readonly kind: 'union'; readonly options: readonly Shape[] }
  | { readonly kind: 'array'; readonly item: Shape; readonly min: number; readonly max: number | undefined }
  | { readonly kind: 'tuple'; readonly items: readonly Shape[] }
  | { readonly kind: 'object'; readonly properties: readonly ShapeProperty[]; readonly others: Shape | undefined }

/** A property of an object. */
export interface ShapeProperty {
  readonly name: string
  readonly shape: Shape
  readonly required: boolean
}

/** What shapes are made with. */
export interface Shaper {
  /** The shape of what meets all parts; `undefined`: nothing does. */
  shape(parts: readonly Part[]): Shape | undefined
  /** Notes that the grammar does not hold a keyword. */
  relax(clause: Clause, keyword: keyof JsonSchema): void
  /** Whether results are checked by more than the JSON Schema. */
  readonly checkedElsewhere: boolean
}

/** A schema's shape, the shapes that it refers to by name, and what they leave out. */
export interface ShapedSchema {
  readonly root: Shape
  readonly named: ReadonlyMap<string, Shape>
  readonly relaxed: readonly RelaxedKeyword[]
}

/** Parts that are looked at, each as often as unions and references lead to it. */
const maxParts = 10_000
const maxDepth = 128

/** Keywords that no grammar of ours holds, whatever the type. */
const never = [
  'not',
  'if',
  'dependentRequired',
  'dependentSchemas',
  'unevaluatedProperties',
  'unevaluatedItems',
] as const

/**
 * Finds the shape of a checked schema. What can't be held is left out and listed, never a reason to let anything
 * through. `checkedElsewhere`: patterns that can't be followed are left out too, instead of refused.
 * Throws `ERR_SCHEMA_UNSUPPORTED`.
 */
export function shapeOf(root: SubSchema, checkedElsewhere: boolean): ShapedSchema {
  const resolve: Resolve = resolver(root)
  const relaxed = new Map<string, RelaxedKeyword>()
  const names = new Map<string, string>()
  const named = new Map<string, Shape>()
  const waiting: (() => void)[] = []
  const open = new Set<string>()
  let looked = 0

  function nameOf(key: string, parts: readonly Part[]): string {
    const known = names.get(key)
    if (known !== undefined) return known
    const name = String(names.size)
    names.set(key, name)
    // Later, so that long chains of references need no deep stack.
    waiting.push(() => {
      const found = ofClauses(parts, key)
      if (found === undefined) throw unsupported(parts[0]?.pointer ?? '', 'nothing meets it')
      named.set(name, found)
    })
    return name
  }

  function shape(parts: readonly Part[]): Shape | undefined {
    const [only] = parts
    if (parts.length === 1 && only !== undefined && typeof only.schema !== 'boolean') {
      const { $ref, $defs: _, definitions: __, ...rest } = only.schema
      if ($ref !== undefined && Object.keys(rest).length === 0) {
        const target = resolve($ref, only.pointer)
        if (target.schema === false) return undefined
        return { kind: 'reference', name: nameOf(target.pointer, [target]) }
      }
    }
    return ofClauses(parts, parts.map(({ pointer }) => pointer).join(' '))
  }

  function ofClauses(parts: readonly Part[], key: string): Shape | undefined {
    looked += parts.length
    if (looked > maxParts) throw unsupported('', `its references and unions lead to more than ${maxParts} parts`)
    // The same parts again, inside of themselves: a recursive schema.
    if (open.has(key)) return { kind: 'reference', name: nameOf(key, parts) }
    if (open.size >= maxDepth)
      throw unsupported(parts[0]?.pointer ?? '', `it is nested more than ${maxDepth} levels deep`)
    open.add(key)
    try {
      const { clauses, never: nothing } = conjunctionOf(parts, resolve)
      return nothing ? undefined : ofConjunction(clauses)
    } finally {
      open.delete(key)
    }
  }

  function ofConjunction(clauses: readonly Clause[]): Shape | undefined {
    for (const clause of clauses)
      for (const keyword of never) if (clause.schema[keyword] !== undefined) relax(clause, keyword)
    const values = valuesOf(clauses)
    const united = clauses.find(({ schema }) => schema.anyOf !== undefined || schema.oneOf !== undefined)
    if (values !== undefined) {
      for (const clause of clauses) relaxRest(clause)
      return values.length === 0 ? undefined : { kind: 'values', values }
    }
    if (united !== undefined) return ofUnion(united, clauses)
    const types = typesOf(clauses)
    if (types.size >= 6) return { kind: 'any' }
    return unionOf([...types].map((type) => ofType(type, clauses)))
  }

  /** Each way of a union, together with everything else that holds. */
  function ofUnion({ schema, pointer }: Clause, clauses: readonly Clause[]): Shape | undefined {
    const keyword = schema.anyOf === undefined ? 'oneOf' : 'anyOf'
    const { [keyword]: options = [], ...rest } = schema
    const others = clauses.filter((clause) => clause.pointer !== pointer)
    if (Object.keys(rest).some((each) => each !== '$defs' && each !== 'definitions'))
      others.push({ schema: rest, pointer })
    const parts = options.map((option, index) => ({ schema: option, pointer: below(pointer, keyword, index) }))
    if (keyword === 'oneOf' && !areDisjoint(parts, resolve)) relax({ schema, pointer }, 'oneOf')
    return unionOf(parts.map((part) => shape(others.length === 0 ? [part] : [...others, part])))
  }

  function ofType(type: TypeName, clauses: readonly Clause[]): Shape | undefined {
    switch (type) {
      case 'null':
      case 'boolean':
        return { kind: 'type', type }
      case 'integer':
      case 'number':
        return numberShape(type, clauses, shaper)
      case 'string':
        return stringShape(clauses, shaper)
      case 'array':
        return arrayShape(clauses, shaper)
      case 'object':
        return objectShape(clauses, shaper)
    }
  }

  function relax({ pointer }: Clause, keyword: keyof JsonSchema): void {
    relaxed.set(`${pointer} ${keyword}`, { pointer, keyword })
  }

  /** Beside a list of values everything else is left to the check of the result. */
  function relaxRest(clause: Clause): void {
    const known = new Set(['type', 'enum', 'const', '$defs', 'definitions', ...never])
    for (const keyword of Object.keys(clause.schema))
      if (!known.has(keyword)) relax(clause, keyword as keyof JsonSchema)
  }

  const shaper: Shaper = { shape, relax, checkedElsewhere }
  const found = shape([{ schema: root, pointer: '' }])
  if (found === undefined) throw unsupported('', 'nothing meets it')
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next()
  checkProgress(found, named)
  return { root: found, named, relaxed: [...relaxed.values()] }
}

/** One of the shapes that are there. */
function unionOf(options: readonly (Shape | undefined)[]): Shape | undefined {
  const possible = options.filter((option) => option !== undefined)
  return possible.length <= 1 ? possible[0] : { kind: 'union', options: possible }
}

/** Every reference must be reached by way of an object or array: `a` may not be one of the ways to be `a`. */
function checkProgress(root: Shape, named: ReadonlyMap<string, Shape>): void {
  const done = new Set<string>()
  const visit = (shape: Shape, through: ReadonlySet<string>): void => {
    if (shape.kind === 'union') for (const option of shape.options) visit(option, through)
    if (shape.kind !== 'reference' || done.has(shape.name)) return
    if (through.has(shape.name)) throw unsupported('', 'a reference leads back to itself')
    const target = named.get(shape.name)
    if (target !== undefined) visit(target, new Set([...through, shape.name]))
    done.add(shape.name)
  }
  visit(root, new Set())
  for (const [name, shape] of named) visit(shape, new Set([name]))
}
