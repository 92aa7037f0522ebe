import type { Clause } from './conjunction.js'
import { formatPatterns } from './format.js'
import type { Shape, Shaper } from './grammar-shape.js'
import { below, unsupported } from './json-schema.js'
import { parsePattern, type Pattern, PatternError, patternLength } from './pattern.js'
import { lengthPattern, textGrammar } from './text-grammar.js'

/** The shape of strings that meet all clauses: by a pattern, else a format, else the length. */
export function stringShape(clauses: readonly Clause[], shaper: Shaper): Shape | undefined {
  const min = Math.max(0, ...clauses.map(({ schema }) => schema.minLength ?? 0))
  const max = Math.min(...clauses.map(({ schema }) => schema.maxLength ?? Infinity))
  if (min > max) return undefined
  const pattern = patternOf(clauses, shaper)
  if (pattern === undefined) {
    if (min === 0 && max === Infinity) return { kind: 'type', type: 'string' }
    return { kind: 'text', grammar: textGrammar(lengthPattern(min, max)) }
  }
  const bounded = withLength(pattern, min, max)
  const [least, most] = patternLength(bounded)
  if (least > max || most < min) return undefined
  for (const clause of clauses) {
    if (clause.schema.minLength !== undefined && least < clause.schema.minLength) shaper.relax(clause, 'minLength')
    if (clause.schema.maxLength !== undefined && most > clause.schema.maxLength) shaper.relax(clause, 'maxLength')
  }
  return { kind: 'text', grammar: textGrammar(bounded) }
}

/** The first pattern that can be followed, else the first format that has one; the rest is relaxed. */
function patternOf(clauses: readonly Clause[], shaper: Shaper): Pattern | undefined {
  let found: Pattern | undefined
  const patterned = new Set<Clause>()
  for (const clause of clauses) {
    const { pattern } = clause.schema
    if (pattern === undefined) continue
    const read = found === undefined ? readPattern(clause, pattern, shaper.checkedElsewhere) : undefined
    if (read === undefined) {
      shaper.relax(clause, 'pattern')
      continue
    }
    found = read
    patterned.add(clause)
  }
  for (const clause of clauses) {
    const { format } = clause.schema
    // A pattern beside a format spells it out, by custom.
    if (format === undefined || patterned.has(clause)) continue
    const known = found === undefined ? formatPatterns.get(format) : undefined
    if (known === undefined) shaper.relax(clause, 'format')
    else found = parsePattern(known)
  }
  return found
}

function readPattern({ pointer }: Clause, pattern: string, checkedElsewhere: boolean): Pattern | undefined {
  try {
    return parsePattern(pattern)
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    if (checkedElsewhere) return undefined
    throw unsupported(below(pointer, 'pattern'), `${error.message}, in the pattern ${JSON.stringify(pattern)}`)
  }
}

/** A repetition of single characters takes bounds of length over. */
function withLength(pattern: Pattern, min: number, max: number): Pattern {
  if (pattern.kind !== 'repeat' || pattern.item.kind !== 'set') return pattern
  const [least, most] = [Math.max(pattern.min, min), Math.min(pattern.max, max)]
  return least > most ? pattern : { ...pattern, min: least, max: most }
}
