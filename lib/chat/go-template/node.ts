import type { GoValue } from './value.js'

/** A part of a template that prints, or controls what is printed. */
export type Node = TextNode | ActionNode | BranchNode | RangeNode | CallNode | JumpNode

export interface TextNode {
  readonly kind: 'text'
  readonly text: string
}

/** `{{ pipeline }}`. */
export interface ActionNode {
  readonly kind: 'action'
  readonly pipe: Pipe
}

/** `if` or `with` and its chain of `else if` or `else with`. */
export interface BranchNode {
  readonly kind: 'if' | 'with'
  readonly branches: readonly Branch[]
  readonly otherwise: readonly Node[]
}

export interface Branch {
  readonly pipe: Pipe
  readonly body: readonly Node[]
}

export interface RangeNode {
  readonly kind: 'range'
  readonly pipe: Pipe
  readonly body: readonly Node[]
  readonly otherwise: readonly Node[]
}

/** `{{ template "name" pipeline }}`, also in the place of a `block`. */
export interface CallNode {
  readonly kind: 'call'
  readonly name: string
  readonly pipe: Pipe | undefined
  readonly at: number
}

export interface JumpNode {
  readonly kind: 'break' | 'continue'
}

/** Commands, each of which gets what the one before made; the last one's value may go to variables. */
export interface Pipe {
  readonly kind: 'pipe'
  /** Names with their `$`; two only in a `range`. */
  readonly variables: readonly string[]
  /** `=` instead of `:=`. */
  readonly assigns: boolean
  readonly commands: readonly Command[]
  readonly at: number
}

/** A value, or a function with its arguments. */
export interface Command {
  readonly operands: readonly Operand[]
  readonly at: number
}

/** What stands alone between spaces. */
export type Operand = Literal | Dot | NilWord | FieldPath | VariablePath | FunctionWord | Chain | Pipe

/** A constant; without a value it is a number that fits no `int`. */
export interface Literal {
  readonly kind: 'literal'
  readonly value: GoValue | undefined
  readonly text: string
  readonly at: number
}

export interface Dot {
  readonly kind: 'dot'
  readonly at: number
}

export interface NilWord {
  readonly kind: 'nil'
  readonly at: number
}

/** `.a.b`. */
export interface FieldPath {
  readonly kind: 'field'
  readonly path: readonly string[]
  readonly at: number
}

/** `$x.a.b`. */
export interface VariablePath {
  readonly kind: 'variable'
  /** With its `$`. */
  readonly name: string
  readonly path: readonly string[]
  readonly at: number
}

export interface FunctionWord {
  readonly kind: 'function'
  readonly name: string
  readonly at: number
}

/** `(pipeline).a.b`. */
export interface Chain {
  readonly kind: 'chain'
  readonly operand: Operand
  readonly path: readonly string[]
  readonly at: number
}

/** An operand as an error shows it. */
export function describeOperand(operand: Operand): string {
  switch (operand.kind) {
    case 'literal':
      return operand.text
    case 'dot':
      return '.'
    case 'nil':
      return 'nil'
    case 'field':
      return operand.path.map((name) => `.${name}`).join('')
    case 'variable':
      return [operand.name, ...operand.path].join('.')
    case 'function':
      return operand.name
    case 'chain':
      return [describeOperand(operand.operand), ...operand.path].join('.')
    case 'pipe':
      return '(…)'
    default:
      return operand satisfies never
  }
}
