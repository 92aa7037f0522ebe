import type { Clause } from './conjunction.js'
import type { Shape, Shaper } from './grammar-shape.js'
import { mostDecimals, numberGrammar } from './number-grammar.js'

const boundKeywords = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'] as const

/** The shape of numbers that meet all clauses. */
export function numberShape(type: 'integer' | 'number', clauses: readonly Clause[], shaper: Shaper): Shape | undefined {
  let [min, max, minExcluded, maxExcluded] = [-Infinity, Infinity, false, false]
  let decimals = type === 'integer' ? 0 : mostDecimals
  for (const clause of clauses) {
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = clause.schema
    if (minimum !== undefined && minimum > min) [min, minExcluded] = [minimum, false]
    if (exclusiveMinimum !== undefined && exclusiveMinimum >= min) [min, minExcluded] = [exclusiveMinimum, true]
    if (maximum !== undefined && maximum < max) [max, maxExcluded] = [maximum, false]
    if (exclusiveMaximum !== undefined && exclusiveMaximum <= max) [max, maxExcluded] = [exclusiveMaximum, true]
    if (multipleOf === undefined) continue
    const places = decimalPlaces(multipleOf)
    if (places === undefined) shaper.relax(clause, 'multipleOf')
    else decimals = Math.min(decimals, places)
  }
  if (min > max || (min === max && (minExcluded || maxExcluded))) return undefined
  const unbounded = min === -Infinity && max === Infinity
  if (unbounded && decimals === (type === 'integer' ? 0 : mostDecimals)) return { kind: 'type', type }
  const grammar = numberGrammar({ min, max, minExcluded, maxExcluded, decimals })
  if (grammar !== undefined) return { kind: 'text', grammar }
  for (const clause of clauses) {
    for (const keyword of boundKeywords) if (clause.schema[keyword] !== undefined) shaper.relax(clause, keyword)
  }
  return { kind: 'type', type }
}

/** 0 for 1, 1 for 0.1, 2 for 0.01 …; other steps can't be held by a grammar. */
function decimalPlaces(step: number): number | undefined {
  for (let places = 0; places <= mostDecimals; places++) if (step === Number(`1e-${places}`)) return places
  return undefined
}
