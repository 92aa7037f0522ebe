import type { Node, Operand, Pipe } from './node.js'

/** Visits all pipelines of some nodes, those in bodies included. */
export function visitPipes(nodes: readonly Node[], visit: (pipe: Pipe) => void): void {
  for (const node of nodes) {
    if ((node.kind === 'action' || node.kind === 'call') && node.pipe !== undefined) visit(node.pipe)
    for (const pipe of headsOf(node)) visit(pipe)
    for (const body of bodiesOf(node)) visitPipes(body, visit)
  }
}

const none: readonly never[] = []

/** The bodies of a node in the order of the source. */
export function bodiesOf(node: Node): readonly (readonly Node[])[] {
  switch (node.kind) {
    case 'if':
    case 'with':
      return [...node.branches.map(({ body }) => body), node.otherwise]
    case 'range':
      return [node.body, node.otherwise]
    default:
      return none
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
      return none
  }
}

/** Visits all operands of a pipeline, those in parentheses included. */
export function visitOperands(pipe: Pipe, visit: (operand: Operand) => void): void {
  for (const { operands } of pipe.commands) for (const operand of operands) visitInner(operand, visit)
}

function visitInner(operand: Operand, visit: (operand: Operand) => void): void {
  visit(operand)
  if (operand.kind === 'chain') visitInner(operand.operand, visit)
  if (operand.kind === 'pipe') visitOperands(operand, visit)
}

/** Whether a pipeline names a field, on anything. */
export function usesField(pipe: Pipe, name: string): boolean {
  let isUsed = false
  visitOperands(pipe, (operand) => {
    isUsed ||= 'path' in operand && operand.path.includes(name)
  })
  return isUsed
}
