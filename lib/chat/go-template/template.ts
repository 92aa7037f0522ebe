import { functionNames } from './functions.js'
import { identifiersOf } from './identifiers.js'
import type { Node } from './node.js'
import { parseSource, type Definitions } from './parser.js'

/** A parsed template of Go's language; it does not change and serves any number of conversations at once. */
export interface GoTemplate {
  readonly source: string
  /** All trees by name; the template itself is ''. */
  readonly definitions: Definitions
  /** Names of fields and variables that occur anywhere, in lower case; variables with their `$`. */
  readonly identifiers: ReadonlySet<string>
}

/**
 * Parses a template in Go's language with Ollama's functions. One that uses neither `.Messages` nor `.Response` gets an
 * action that prints `.Response` at its end, as in Ollama.
 *
 * @param source at most 256 KiB
 * Errors: `ERR_TEMPLATE` with `line` and `column` in its details, in Go's words.
 */
export function parseGoTemplate(source: string): GoTemplate {
  const definitions = parseSource(source, (name) => functionNames.has(name))
  const identifiers = identifiersOf(definitions)
  if (identifiers.has('messages') || identifiers.has('response')) return { source, definitions, identifiers }
  const at = source.length
  const response: Node = {
    kind: 'action',
    pipe: {
      kind: 'pipe',
      variables: [],
      assigns: false,
      commands: [{ operands: [{ kind: 'field', path: ['Response'], at }], at }],
      at,
    },
  }
  const completed = new Map(definitions).set('', [...(definitions.get('') ?? []), response])
  return { source, definitions: completed, identifiers }
}
