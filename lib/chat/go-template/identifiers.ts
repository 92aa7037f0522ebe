import type { Definitions } from './parser.js'
import { visitOperands, visitPipes } from './walk.js'

/** The fields and variables that a template names, in lower case; variables keep their `$`. */
export function identifiersOf(definitions: Definitions): ReadonlySet<string> {
  const names = new Set<string>()
  for (const nodes of definitions.values()) {
    visitPipes(nodes, (pipe) => {
      visitOperands(pipe, (operand) => {
        if (operand.kind === 'variable') names.add(operand.name.toLowerCase())
        if ('path' in operand) for (const name of operand.path) names.add(name.toLowerCase())
      })
    })
  }
  return names
}
