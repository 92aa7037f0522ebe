import type { Node, RangeNode } from './node.js'
import type { GoTemplate } from './template.js'
import { bodiesOf, headsOf, usesField, visitOperands, visitPipes } from './walk.js'

/** What a model writes around its thoughts. */
export interface ThinkingTags {
  readonly open: string
  readonly close: string
}

/** What a Go template lets a model be asked for, in Ollama's words. */
export type GoTemplateCapability = 'tools' | 'insert' | 'thinking'

/** What a template can do: hand over tools, fill a gap, show thoughts. */
export function goTemplateCapabilities(template: GoTemplate): readonly GoTemplateCapability[] {
  const { identifiers } = template
  const found: readonly (readonly [GoTemplateCapability, boolean])[] = [
    ['tools', identifiers.has('tools')],
    ['insert', identifiers.has('suffix')],
    ['thinking', thinkingTags(template) !== undefined],
  ]
  return found.filter(([, isThere]) => isThere).map(([name]) => name)
}

/**
 * The tags around thoughts: where a range over the messages prints `.Thinking`, the texts before and behind it in the
 * same list. Undefined if there is no such place, or one of the texts is missing.
 */
export function thinkingTags({ definitions }: GoTemplate): ThinkingTags | undefined {
  for (const nodes of definitions.values()) {
    for (const range of rangesOf(nodes)) {
      const tags = usesField(range.pipe, 'Messages') ? tagsIn(range.body) : undefined
      if (tags !== undefined) return tags
    }
  }
  return undefined
}

/**
 * What a model writes before its calls of tools: the first text behind `if .ToolCalls`, up to a brace; `{` where none
 * is told.
 */
export function toolCallTag({ definitions }: GoTemplate): string {
  const body = toolCallsBody(definitions.get('') ?? [])
  const text = body && firstText(body)
  const [tag = ''] = (text ?? '').replaceAll('\r\n', '\n').split('{')
  return tag.trim() || '{'
}

/** Whether a template has a place for messages of tools: it asks for their role, or for the name of a tool. */
export function rendersToolResults({ definitions, identifiers }: GoTemplate): boolean {
  if (identifiers.has('toolname') || identifiers.has('toolcallid')) return true
  let isAsked = false
  for (const nodes of definitions.values()) {
    visitPipes(nodes, (pipe) => {
      visitOperands(pipe, (operand) => {
        const value = operand.kind === 'literal' ? operand.value : undefined
        isAsked ||= value?.kind === 'string' && value.text === 'tool'
      })
    })
  }
  return isAsked
}

function* rangesOf(nodes: readonly Node[]): Generator<RangeNode> {
  for (const node of nodes) {
    if (node.kind === 'range') yield node
    for (const body of bodiesOf(node)) yield* rangesOf(body)
  }
}

function tagsIn(nodes: readonly Node[]): ThinkingTags | undefined {
  for (const [index, node] of nodes.entries()) {
    if (node.kind === 'action' && usesField(node.pipe, 'Thinking')) {
      const open = textOf(nodes.slice(0, index).findLast(isText))
      const close = textOf(nodes.slice(index + 1).find(isText))
      if (open !== '' && close !== '') return { open, close }
    }
    for (const body of bodiesOf(node)) {
      const tags = tagsIn(body)
      if (tags !== undefined) return tags
    }
  }
  return undefined
}

function toolCallsBody(nodes: readonly Node[]): readonly Node[] | undefined {
  for (const node of nodes) {
    const bodies = bodiesOf(node)
    for (const [index, head] of headsOf(node).entries()) {
      if (node.kind === 'if' && usesField(head, 'ToolCalls')) return bodies[index]
    }
    for (const body of bodies) {
      const found = toolCallsBody(body)
      if (found !== undefined) return found
    }
  }
  return undefined
}

/** White space alone tells nothing. */
function firstText(nodes: readonly Node[]): string | undefined {
  for (const node of nodes) {
    if (node.kind === 'text' && node.text.trim() !== '') return node.text
    for (const body of bodiesOf(node)) {
      const found = firstText(body)
      if (found !== undefined) return found
    }
  }
  return undefined
}

function isText(node: Node): boolean {
  return node.kind === 'text' && node.text.trim() !== ''
}

function textOf(node: Node | undefined): string {
  return node?.kind === 'text' ? node.text.trim() : ''
}
