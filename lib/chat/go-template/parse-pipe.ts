import type { DeclaredNames } from './declared-names.js'
import { Refusal } from './fault.js'
import { templateLimits } from './limits.js'
import { describeOperand, type Command, type Literal, type Operand, type Pipe } from './node.js'
import { complexValue, numberValue } from './number.js'
import { unquoteCharacter, unquoteString } from './quoted.js'
import type { TokenReader } from './token-reader.js'
import type { Token } from './token.js'
import { boolValue, intValue, stringValue, type GoValue } from './value.js'

/** What is known where a pipeline is read. */
export interface PipeScope {
  readonly tokens: TokenReader
  readonly isFunction: (name: string) => boolean
  /** Variables that were declared so far, `$` first; declarations add to them. */
  readonly variables: DeclaredNames
  /** Parentheses around. */
  readonly depth: number
}

/**
 * Reads a pipeline and what ends it.
 *
 * @param context what it belongs to, for errors; only a `range` may declare two variables
 */
export function parsePipe(scope: PipeScope, context: string, end: 'right' | 'close'): Pipe {
  const { tokens } = scope
  const { at } = tokens.peekNonSpace()
  const { variables, assigns } = parseDeclarations(scope, context)
  const commands: Command[] = []
  while (tokens.peekNonSpace().kind !== end) commands.push(parseCommand(scope, context))
  tokens.nextNonSpace()
  if (commands.length === 0) throw tokens.fault(`missing value for ${context}`, at)
  for (const [index, { operands, at: place }] of commands.entries()) {
    const kind = operands[0]?.kind
    if (index > 0 && (kind === 'literal' || kind === 'dot' || kind === 'nil'))
      throw tokens.fault(`non executable command in pipeline stage ${index + 1}`, place)
  }
  return { kind: 'pipe', variables, assigns, commands, at }
}

/** `$x :=`, `$x =` or, for a `range`, `$i, $x :=`; nothing is read if there is none of these. */
function parseDeclarations(
  { tokens, variables }: PipeScope,
  context: string,
): { readonly variables: readonly string[]; readonly assigns: boolean } {
  const names: string[] = []
  while (tokens.peekNonSpace().kind === 'variable') {
    const variable = tokens.nextNonSpace()
    const after = tokens.next()
    const sign = after.kind === 'space' ? tokens.nextNonSpace() : after
    const isComma = sign.kind === 'mark' && sign.text === ','
    if (!isComma && sign.kind !== 'assign' && sign.kind !== 'declare') {
      tokens.putBack(variable, ...(after === sign ? [] : [after]), sign)
      break
    }
    names.push(variable.text)
    variables.declare(variable.text)
    if (!isComma) return { variables: names, assigns: sign.kind === 'assign' }
    if (context !== 'range' || names.length > 1) throw tokens.fault(`too many declarations in ${context}`, variable.at)
    const next = tokens.peekNonSpace().kind
    if (next !== 'variable' && next !== 'right' && next !== 'close')
      throw tokens.fault('range can only initialize variables', variable.at)
  }
  return { variables: names, assigns: false }
}

function parseCommand(scope: PipeScope, context: string): Command {
  const { tokens } = scope
  const first = tokens.peekNonSpace()
  if (!startsOperand(first)) throw tokens.unexpected(first, context)
  const operands: Operand[] = []
  for (;;) {
    tokens.peekNonSpace()
    const operand = parseOperand(scope)
    if (operand !== undefined) operands.push(operand)
    const token = tokens.next()
    if (token.kind === 'space') continue
    if (token.kind === 'right' || token.kind === 'close') tokens.putBack(token)
    else if (token.kind !== 'pipe') throw tokens.unexpected(token, 'operand')
    break
  }
  if (operands.length === 0) throw tokens.fault('empty command', first.at)
  return { operands, at: first.at }
}

const operandStarts: ReadonlySet<string> = new Set([
  'bool',
  'character',
  'complex',
  'dot',
  'field',
  'identifier',
  'nil',
  'number',
  'open',
  'rawString',
  'string',
  'variable',
])

function startsOperand({ kind }: Token): boolean {
  return operandStarts.has(kind)
}

/** A term and the fields behind it; undefined if none starts here. */
function parseOperand(scope: PipeScope): Operand | undefined {
  const { tokens } = scope
  const operand = parseTerm(scope)
  if (operand === undefined || tokens.peek().kind !== 'field') return operand
  const path: string[] = []
  while (tokens.peek().kind === 'field') path.push(tokens.next().text.slice(1))
  switch (operand.kind) {
    case 'field':
    case 'variable':
      return { ...operand, path: [...operand.path, ...path] }
    case 'literal':
    case 'nil':
    case 'dot':
      throw tokens.fault(`unexpected . after term ${JSON.stringify(describeOperand(operand))}`, operand.at)
    default:
      return { kind: 'chain', operand, path, at: operand.at }
  }
}

function parseTerm(scope: PipeScope): Operand | undefined {
  const { tokens, isFunction, variables, depth } = scope
  const token = tokens.nextNonSpace()
  const { kind, text, at } = token
  switch (kind) {
    case 'identifier':
      if (!isFunction(text)) throw tokens.fault(`function ${JSON.stringify(text)} not defined`, at)
      return { kind: 'function', name: text, at }
    case 'dot':
    case 'nil':
      return { kind, at }
    case 'variable':
      if (!variables.has(text)) throw tokens.fault(`undefined variable ${JSON.stringify(text)}`, at)
      return { kind, name: text, path: [], at }
    case 'field':
      return { kind, path: [text.slice(1)], at }
    case 'open':
      if (depth >= templateLimits.depth)
        throw tokens.fault(`more than ${templateLimits.depth} parentheses inside one another`, at)
      return parsePipe({ ...scope, depth: depth + 1 }, 'parenthesized pipeline', 'close')
    case 'bool':
    case 'character':
    case 'complex':
    case 'number':
    case 'string':
    case 'rawString':
      return parseLiteral(tokens, token)
    default:
      tokens.putBack(token)
      return undefined
  }
}

function parseLiteral(tokens: TokenReader, token: Token): Literal {
  const { text, at } = token
  try {
    return { kind: 'literal', value: literalValue(token), text, at }
  } catch (error) {
    if (error instanceof Refusal) throw tokens.fault(error.message, at)
    throw error
  }
}

function literalValue({ kind, text }: Token): GoValue | undefined {
  switch (kind) {
    case 'bool':
      return boolValue(text === 'true', true)
    case 'character': {
      const code = unquoteCharacter(text)
      if (code === undefined) throw new Refusal(`malformed character constant: ${text}`)
      return intValue(code, true)
    }
    case 'complex':
      return complexValue(text)
    case 'number':
      return numberValue(text)
    case 'rawString':
      // As in Go's source files.
      return stringValue(text.slice(1, -1), true)
    default: {
      const unquoted = unquoteString(text)
      if (unquoted === undefined) throw new Refusal(`invalid syntax in the string ${text}`)
      return stringValue(unquoted, true)
    }
  }
}
