import type { NativeChatAnswer, NativeToolCall } from '../../lib/native-types.js'
import type { Script } from './fake-engine.js'

/**
 * The format of the fake's answers: `<think>…</think>`, text, and calls as `[name {json}]`, each on a line of its own.
 * A partial answer is taken apart as far as it goes.
 */
export function parseFake(text: string, isPartial: boolean): NativeChatAnswer {
  if (isPartial && '<think>'.startsWith(text)) return { content: '', reasoning: '', toolCalls: [] }
  let rest = text
  let reasoning = ''
  if (rest.startsWith('<think>')) {
    const end = rest.indexOf('</think>')
    reasoning = rest.slice(7, end < 0 ? undefined : end)
    rest = end < 0 ? '' : rest.slice(end + 8)
  }
  const toolCalls: NativeToolCall[] = []
  const lines = rest.split('\n')
  const content = lines.filter((line) => {
    const [, name, json] = /^\[(\w+) (.*?)\]?$/.exec(line) ?? []
    if (name === undefined || json === undefined) return !(isPartial && line.startsWith('['))
    toolCalls.push({ id: '', name, arguments: json })
    return false
  })
  return { content: content.join('\n').trim(), reasoning, toolCalls }
}

/** Answers in their order, one per request. */
export function answers(...texts: readonly string[]): Script {
  let next = 0
  return () => [...Buffer.from(texts[next++] ?? 'no more answers'), 257]
}
