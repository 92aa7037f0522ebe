import { evaluatePipe } from './evaluate.js'
import { Refusal, templateFault } from './fault.js'
import type { Machine } from './frame.js'
import { templateLimits } from './limits.js'
import type { BranchNode, CallNode, Node, RangeNode } from './node.js'
import type { Definitions } from './parser.js'
import { printedRuns } from './print.js'
import type { RunBuilder } from './runs.js'
import { Scope } from './scope.js'
import { intValue, isTrue, missing, stringValue, typeName, type GoValue } from './value.js'

/** What is executed, and where it prints to. */
export interface Execution {
  readonly source: string
  readonly definitions: Definitions
  readonly machine: Machine
  readonly output: RunBuilder
}

/** How a list of nodes was left: at its end, or by a jump in a `range`. */
type Outcome = 'done' | 'break' | 'continue'

/** Executes nodes of a template with the data. Errors: `ERR_TEMPLATE` with line and column. */
export function execute(execution: Execution, nodes: readonly Node[], data: GoValue): void {
  const { source, machine } = execution
  try {
    new Executor(execution).walk(nodes, data, new Scope(data, machine.fuel))
  } catch (error) {
    if (error instanceof Refusal) throw templateFault(source, machine.at, error.message)
    throw error
  }
}

class Executor {
  readonly #machine: Machine
  readonly #definitions: Definitions
  readonly #output: RunBuilder
  /** Blocks and calls of templates around. */
  #depth = 0

  constructor({ machine, definitions, output }: Execution) {
    this.#machine = machine
    this.#definitions = definitions
    this.#output = output
  }

  walk(nodes: readonly Node[], dot: GoValue, scope: Scope): Outcome {
    this.#depth += 1
    if (this.#depth > templateLimits.depth)
      throw new Refusal(`more than ${templateLimits.depth} blocks and templates inside one another`)
    let outcome: Outcome = 'done'
    for (const node of nodes) {
      outcome = this.#node(node, dot, scope)
      if (outcome !== 'done') break
    }
    this.#depth -= 1
    return outcome
  }

  #node(node: Node, dot: GoValue, scope: Scope): Outcome {
    this.#machine.fuel.spend(1)
    switch (node.kind) {
      case 'text':
        this.#output.append(node.text, true)
        return 'done'
      case 'action': {
        const value = evaluatePipe({ machine: this.#machine, scope, dot }, node.pipe)
        this.#machine.at = node.pipe.at
        if (node.pipe.variables.length === 0) this.#output.appendRuns(printedRuns(value, this.#machine.fuel))
        return 'done'
      }
      case 'if':
      case 'with':
        return this.#branch(node, dot, scope)
      case 'range':
        this.#range(node, dot, scope)
        return 'done'
      case 'call':
        this.#call(node, dot, scope)
        return 'done'
      case 'break':
      case 'continue':
        return node.kind
      default:
        return node satisfies never
    }
  }

  #branch({ kind, branches, otherwise }: BranchNode, dot: GoValue, scope: Scope): Outcome {
    const { size } = scope
    let [body, inner] = [otherwise, dot]
    for (const branch of branches) {
      const value = evaluatePipe({ machine: this.#machine, scope, dot }, branch.pipe)
      if (!isTrue(value)) continue
      body = branch.body
      if (kind === 'with') inner = value
      break
    }
    const outcome = this.walk(body, inner, scope)
    scope.cut(size)
    return outcome
  }

  #range({ pipe, body, otherwise }: RangeNode, dot: GoValue, scope: Scope): void {
    const { size } = scope
    const list = evaluatePipe({ machine: this.#machine, scope, dot }, pipe)
    const inner = scope.size
    let turns = 0
    for (const [key, element] of elementsOf(list, pipe.variables.length)) {
      turns += 1
      this.#machine.fuel.spend(1)
      if (turns > templateLimits.rangeTurns) {
        this.#machine.at = pipe.at
        throw new Refusal(`a range of more than ${templateLimits.rangeTurns} turns`)
      }
      setVariables(scope, pipe.assigns, pipe.variables, pipe.variables.length > 1 ? [key, element] : [element])
      const outcome = this.walk(body, element, scope)
      scope.cut(inner)
      if (outcome === 'break') break
    }
    // A jump in the other body, which needs a `range` around this one, ends with this one all the same, as in Go.
    if (turns === 0) this.walk(otherwise, dot, scope)
    scope.cut(size)
  }

  #call({ name, pipe, at }: CallNode, dot: GoValue, scope: Scope): void {
    const nodes = this.#definitions.get(name)
    this.#machine.at = at
    if (nodes === undefined) throw new Refusal(`template ${JSON.stringify(name)} not defined`)
    // Its own scope of variables.
    this.#machine.fuel.spend(1)
    const data = pipe === undefined ? missing : evaluatePipe({ machine: this.#machine, scope, dot }, pipe)
    this.walk(nodes, data, new Scope(data, this.#machine.fuel))
  }
}

/** What a `range` visits: keys or indexes with what lies there. */
function* elementsOf(value: GoValue, variables: number): Generator<readonly [GoValue, GoValue]> {
  switch (value.kind) {
    case 'missing':
    case 'nil':
      return
    case 'list':
      // Only who asks for positions pays for them.
      for (const [index, item] of (value.items ?? []).entries())
        yield [variables > 1 ? intValue(index, true) : missing, item]
      return
    case 'map':
      for (const [key, item] of value.entries ?? []) yield [stringValue(key, false), item]
      return
    case 'int':
      if (variables > 1) throw new Refusal(`can't use ${value.value} to iterate over more than one variable`)
      // Far more turns than are allowed are counted well enough in floating point, and comparing a `bigint` is slow.
      for (let index = 0, count = Number(value.value); index < count; index++) {
        const number = intValue(index, value.trusted, value.type)
        yield [number, number]
      }
      return
    default:
      throw new Refusal(`range can't iterate over ${typeName(value)}`)
  }
}

/** Sets the variables of a `range` for a turn; declared ones are the youngest of the scope. */
function setVariables(scope: Scope, assigns: boolean, names: readonly string[], values: readonly GoValue[]): void {
  for (const [index, name] of names.entries()) {
    const value = values[index] ?? missing
    if (assigns) scope.assign(name, value)
    else scope.assignFromEnd(names.length - 1 - index, value)
  }
}
