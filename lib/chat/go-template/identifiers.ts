import type { Definitions } from './parser.js'
import { operandsOf, pipesOf } from './walk.js'

/** The fields and variables that a template names, in lower case; variables keep their `$`. */
export function identifiersOf(definitions: Definitions): ReadonlySet<string> {
  const names = new Set<string>()
  for (const nodes of definitions.values()) {
    for (const pipe of pipesOf(nodes)) {
      for (const operand of operandsOf(pipe)) {
        if (operand.kind === 'variable') names.add(operand.name.toLowerCase())
        if ('path' in operand) for (const name of operand.path) names.add(name.toLowerCase())
      }
    }
  }
  return names
}
