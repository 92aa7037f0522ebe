import type { Node, Operand, Pipe } from './node.js'

/** All pipelines of some nodes, those in bodies included. */
export function* pipesOf(nodes: readonly Node[]): Generator<Pipe> {
  for (const node of nodes) {
    switch (node.kind) {
      case 'action':
        yield node.pipe
        break
      case 'call':
        if (node.pipe !== undefined) yield node.pipe
        break
      case 'if':
      case 'with':
      case 'range':
        yield* headsOf(node)
        for (const body of bodiesOf(node)) yield* pipesOf(body)
        break
      case 'text':
      case 'break':
      case 'continue':
        break
      default:
        node satisfies never
    }
  }
}

/** The bodies of a node in the order of the source. */
export function bodiesOf(node: Node): readonly (readonly Node[])[] {
  switch (node.kind) {
    case 'if':
    case 'with':
      return [...node.branches.map(({ body }) => body), node.otherwise]
    case 'range':
      return [node.body, node.otherwise]
    default:
      return []
  }
}

/** The conditions of a node, or what it ranges over. */
export function headsOf(node: Node): readonly Pipe[] {
  switch (node.kind) {
    case 'if':
    case 'with':
      return node.branches.map(({ pipe }) => pipe)
    case 'range':
      return [node.pipe]
    default:
      return []
  }
}

/** All operands of a pipeline, those in parentheses included. */
export function* operandsOf(pipe: Pipe): Generator<Operand> {
  for (const { operands } of pipe.commands) for (const operand of operands) yield* withInner(operand)
}

function* withInner(operand: Operand): Generator<Operand> {
  yield operand
  if (operand.kind === 'chain') yield* withInner(operand.operand)
  if (operand.kind === 'pipe') yield* operandsOf(operand)
}

/** Whether a pipeline names a field, on anything. */
export function usesField(pipe: Pipe, name: string): boolean {
  for (const operand of operandsOf(pipe)) if ('path' in operand && operand.path.includes(name)) return true
  return false
}
