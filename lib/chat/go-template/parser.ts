import { DeclaredNames } from './declared-names.js'
import { limitFault } from './fault.js'
import { Lexer } from './lexer.js'
import { templateLimits } from './limits.js'
import type { Branch, CallNode, Node, Pipe } from './node.js'
import { parsePipe } from './parse-pipe.js'
import { TokenReader } from './token-reader.js'
import type { Token } from './token.js'
import { unquoteString } from './quoted.js'

/** A template's trees by their names; what stands outside of all definitions is called ''. */
export type Definitions = ReadonlyMap<string, readonly Node[]>

/**
 * Parses the source of a template.
 *
 * @param isFunction whether a function of that name exists
 * Errors: `ERR_TEMPLATE` with line and column, in Go's words.
 */
export function parseSource(source: string, isFunction: (name: string) => boolean): Definitions {
  const bytes = Buffer.byteLength(source)
  if (bytes > templateLimits.sourceBytes)
    throw limitFault(`Expected a template of at most ${templateLimits.sourceBytes} bytes; got ${bytes}.`)
  const parser = new Parser(new TokenReader(source, new Lexer(source)), isFunction)
  return parser.parse()
}

/** A list of nodes and the `end` or `else` behind it. */
interface Body {
  readonly nodes: readonly Node[]
  readonly end: Token
}

/** What was read: a node, or the word that ends a list of them. */
type Read = { readonly node: Node } | { readonly end: Token }

class Parser {
  readonly #tokens: TokenReader
  readonly #isFunction: (name: string) => boolean
  readonly #definitions = new Map<string, readonly Node[]>()
  /** Of the definition that is being read. */
  #variables = new DeclaredNames('$')
  #ranges = 0
  #depth = 0

  constructor(tokens: TokenReader, isFunction: (name: string) => boolean) {
    this.#tokens = tokens
    this.#isFunction = isFunction
  }

  parse(): Definitions {
    const tokens = this.#tokens
    const nodes: Node[] = []
    while (tokens.peek().kind !== 'eof') {
      const left = tokens.next()
      const word = left.kind === 'left' ? tokens.nextNonSpace() : left
      if (word.kind === 'define') {
        this.#definition()
        continue
      }
      tokens.putBack(left, ...(word === left ? [] : [word]))
      const read = this.#textOrAction()
      if ('end' in read) throw tokens.fault(`unexpected {{${read.end.text}}}`, read.end.at)
      nodes.push(read.node)
    }
    this.#define('', nodes, 0)
    return this.#definitions
  }

  #definition(): void {
    const name = this.#name('define clause')
    this.#tokens.expect('right', 'define clause')
    const { nodes, end } = this.#apart(() => this.#body())
    if (end.kind !== 'end') throw this.#tokens.unexpected(end, 'define clause')
    this.#define(name.text, nodes, name.at)
  }

  /** Reads with no variables and no loop around. */
  #apart<Result>(read: () => Result): Result {
    const [variables, ranges] = [this.#variables, this.#ranges]
    this.#variables = new DeclaredNames('$')
    this.#ranges = 0
    const result = read()
    this.#variables = variables
    this.#ranges = ranges
    return result
  }

  /** An empty definition never replaces another one. */
  #define(name: string, nodes: readonly Node[], at: number): void {
    const existing = this.#definitions.get(name)
    if (existing === undefined || isEmpty(existing)) this.#definitions.set(name, nodes)
    else if (!isEmpty(nodes)) throw this.#tokens.fault(`multiple definition of template ${JSON.stringify(name)}`, at)
  }

  /** Nodes up to an `end` or `else`. */
  #body(): Body {
    this.#depth += 1
    if (this.#depth > templateLimits.depth)
      throw this.#tokens.fault(
        `more than ${templateLimits.depth} blocks inside one another`,
        this.#tokens.peekNonSpace().at,
      )
    const nodes: Node[] = []
    for (;;) {
      const token = this.#tokens.peekNonSpace()
      if (token.kind === 'eof') throw this.#tokens.fault('unexpected EOF', token.at)
      const read = this.#textOrAction()
      if ('end' in read) {
        this.#depth -= 1
        return { nodes, end: read.end }
      }
      nodes.push(read.node)
    }
  }

  #textOrAction(): Read {
    const token = this.#tokens.nextNonSpace()
    if (token.kind === 'text') return { node: { kind: 'text', text: token.text } }
    if (token.kind !== 'left') throw this.#tokens.unexpected(token, 'input')
    return this.#action()
  }

  #action(): Read {
    const tokens = this.#tokens
    const token = tokens.nextNonSpace()
    if (token.kind === 'end') {
      tokens.expect('right', 'end')
      return { end: token }
    }
    if (token.kind === 'else') {
      // What is behind `else if` belongs to the one that the list is part of.
      if (!isChained(tokens.peekNonSpace())) tokens.expect('right', 'else')
      return { end: token }
    }
    return { node: this.#nodeOf(token) }
  }

  #nodeOf(token: Token): Node {
    const tokens = this.#tokens
    switch (token.kind) {
      case 'block':
        return this.#block()
      case 'break':
      case 'continue':
        tokens.expect('right', `{{${token.kind}}}`)
        if (this.#ranges === 0) throw tokens.fault(`{{${token.kind}}} outside {{range}}`, token.at)
        return { kind: token.kind }
      case 'if':
      case 'with':
        return this.#branches(token.kind)
      case 'range':
        return this.#range()
      case 'template':
        return this.#call()
      default:
        tokens.putBack(token)
        return { kind: 'action', pipe: this.#pipe('command') }
    }
  }

  /** Variables of the pipeline and the bodies live until the `end`. */
  #branches(kind: 'if' | 'with'): Node {
    const tokens = this.#tokens
    const known = this.#variables.size
    const branches: Branch[] = []
    for (;;) {
      const pipe = this.#pipe(kind)
      const { nodes, end } = this.#body()
      branches.push({ pipe, body: nodes })
      if (end.kind === 'else' && tokens.peekNonSpace().kind === kind) {
        tokens.nextNonSpace()
        continue
      }
      const otherwise = this.#otherwise(end)
      this.#variables.cut(known)
      return { kind, branches, otherwise }
    }
  }

  #range(): Node {
    const known = this.#variables.size
    const pipe = this.#pipe('range')
    this.#ranges += 1
    const { nodes, end } = this.#body()
    this.#ranges -= 1
    const otherwise = this.#otherwise(end)
    this.#variables.cut(known)
    return { kind: 'range', pipe, body: nodes, otherwise }
  }

  /** What stands between `else` and `end`, if there is an `else`. */
  #otherwise(end: Token): readonly Node[] {
    if (end.kind === 'end') return []
    const next = this.#tokens.peekNonSpace()
    if (isChained(next)) throw this.#tokens.unexpected(next, 'else')
    const last = this.#body()
    if (last.end.kind !== 'end') throw this.#tokens.fault(`expected end; found {{${last.end.text}}}`, last.end.at)
    return last.nodes
  }

  #call(): CallNode {
    const name = this.#name('template clause')
    const next = this.#tokens.peekNonSpace()
    if (next.kind !== 'right')
      return { kind: 'call', name: name.text, pipe: this.#pipe('template clause'), at: name.at }
    this.#tokens.nextNonSpace()
    return { kind: 'call', name: name.text, pipe: undefined, at: name.at }
  }

  #block(): CallNode {
    const name = this.#name('block clause')
    const pipe = this.#pipe('block clause')
    const { nodes, end } = this.#apart(() => this.#body())
    if (end.kind !== 'end') throw this.#tokens.unexpected(end, 'block clause')
    this.#define(name.text, nodes, name.at)
    return { kind: 'call', name: name.text, pipe, at: name.at }
  }

  #name(context: string): { readonly text: string; readonly at: number } {
    const token = this.#tokens.nextNonSpace()
    const { kind, text, at } = token
    const name = kind === 'string' ? unquoteString(text) : kind === 'rawString' ? text.slice(1, -1) : undefined
    if (name === undefined) throw this.#tokens.unexpected(token, context)
    return { text: name, at }
  }

  #pipe(context: string): Pipe {
    const scope = {
      tokens: this.#tokens,
      isFunction: this.#isFunction,
      variables: this.#variables,
      depth: 0,
    }
    return parsePipe(scope, context, 'right')
  }
}

function isChained({ kind }: Token): boolean {
  return kind === 'if' || kind === 'with'
}

/** Nothing but white space. */
function isEmpty(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.kind === 'text' && node.text.trim() === '')
}
