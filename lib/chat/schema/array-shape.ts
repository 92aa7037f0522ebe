import type { Clause, Part } from './conjunction.js'
import type { Shape, Shaper } from './grammar-shape.js'
import { below } from './json-schema.js'

/** What a repetition in the grammar holds. */
const maxItems = 1000

/** The shape of arrays that meet all clauses. A tuple is said whole, and as short as it may be behind its end. */
export function arrayShape(clauses: readonly Clause[], shaper: Shaper): Shape | undefined {
  for (const clause of clauses) {
    for (const keyword of ['uniqueItems', 'contains'] as const) {
      const says = clause.schema[keyword] !== undefined && clause.schema[keyword] !== false
      if (says) shaper.relax(clause, keyword)
    }
  }
  const min = Math.max(0, ...clauses.map(({ schema }) => schema.minItems ?? 0))
  const max = Math.min(...clauses.map(({ schema }) => schema.maxItems ?? Infinity))
  if (min > max) return undefined
  const prefix = Math.max(0, ...clauses.map(({ schema }) => schema.prefixItems?.length ?? 0))
  if (prefix > 0) return tupleShape(clauses, shaper, Math.min(max, Math.max(min, prefix)), min)

  const item = shaper.shape(itemParts(clauses, 0))
  if (item === undefined) return min === 0 ? { kind: 'values', values: [[]] } : undefined
  if (max === 0) return { kind: 'values', values: [[]] }
  for (const clause of clauses) {
    if ((clause.schema.minItems ?? 0) > maxItems) shaper.relax(clause, 'minItems')
    if ((clause.schema.maxItems ?? 0) > maxItems) shaper.relax(clause, 'maxItems')
  }
  return { kind: 'array', item, min: Math.min(min, maxItems), max: max > maxItems ? undefined : max }
}

function tupleShape(clauses: readonly Clause[], shaper: Shaper, length: number, min: number): Shape | undefined {
  const items: Shape[] = []
  for (let index = 0; index < length; index++) {
    const item = shaper.shape(itemParts(clauses, index))
    if (item === undefined) return index >= min && index > 0 ? { kind: 'tuple', items } : undefined
    items.push(item)
  }
  return { kind: 'tuple', items }
}

/** What holds for the item at an index. */
function itemParts(clauses: readonly Clause[], index: number): Part[] {
  return clauses.flatMap(({ schema: { prefixItems, items }, pointer }) => {
    const own = prefixItems?.[index]
    if (own !== undefined) return [{ schema: own, pointer: below(pointer, 'prefixItems', index) }]
    return items === undefined ? [] : [{ schema: items, pointer: below(pointer, 'items') }]
  })
}
