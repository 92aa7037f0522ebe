import type { Branch, Command, Node, Operand, Pipe } from './node.js'

/**
 * The tree without everything behind the first place that prints `.Response`, where the model goes on to write. As in
 * Ollama, conditions neither count as that place nor are they cut.
 */
export function cutBehindResponse(nodes: readonly Node[]): readonly Node[] {
  return new Cutter().list(nodes)
}

class Cutter {
  #isCut = false

  list(nodes: readonly Node[]): readonly Node[] {
    const kept: Node[] = []
    for (const node of nodes) {
      const cut = this.#isCut ? undefined : this.#node(node)
      if (cut !== undefined) kept.push(cut)
    }
    return kept
  }

  #node(node: Node): Node | undefined {
    switch (node.kind) {
      case 'action': {
        const pipe = this.#pipe(node.pipe)
        return pipe && { ...node, pipe }
      }
      case 'if':
      case 'with': {
        const branches = node.branches.map(({ pipe, body }): Branch => ({ pipe, body: this.list(body) }))
        return { ...node, branches, otherwise: this.list(node.otherwise) }
      }
      case 'range':
        return { ...node, body: this.list(node.body), otherwise: this.list(node.otherwise) }
      default:
        return node
    }
  }

  #pipe(pipe: Pipe): Pipe | undefined {
    const commands: Command[] = []
    for (const command of pipe.commands) {
      const operands = this.#operands(command.operands)
      if (operands.length === 0) return undefined
      commands.push({ ...command, operands })
    }
    return { ...pipe, commands }
  }

  #operands(operands: readonly Operand[]): readonly Operand[] {
    const kept: Operand[] = []
    for (const operand of operands) {
      if (this.#isCut) break
      if (operand.kind === 'field' && operand.path.includes('Response')) this.#isCut = true
      const cut = operand.kind === 'pipe' ? this.#pipe(operand) : operand
      if (cut !== undefined) kept.push(cut)
    }
    return kept
  }
}
