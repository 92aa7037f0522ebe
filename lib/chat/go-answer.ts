import type { NativeChatAnswer, NativeToolCall } from '../native-types.js'
import { plainFormat, type AnswerFormat } from './chat-template.js'
import type { ThinkingTags } from './go-template/index.js'
import { readSpans, type JsonSpan } from './json-span.js'
import { parseObject } from './json.js'

/** What a Go template tells about the answers of its model. */
export interface GoAnswerShape {
  readonly thinking: ThinkingTags | undefined
  /** The prompt has opened the thinking already. */
  readonly beginsThinking: boolean
  /** What comes before calls, such as `<tool_call>`, `[TOOL_CALLS]` or a brace. */
  readonly toolCallTag: string
  readonly toolNames: readonly string[]
}

/**
 * Takes answers apart that a Go template asked for, as Ollama does: thinking stands between its tags at the beginning;
 * behind the tag for calls, JSON objects that name a known tool are calls, and nothing else is text any more.
 */
export function goAnswerFormat(shape: GoAnswerShape): AnswerFormat | undefined {
  if (shape.thinking === undefined && shape.toolNames.length === 0) return undefined
  return {
    async parse(text, isPartial) {
      const { reasoning, rest } = withoutThinking(text, isPartial, shape)
      if (shape.toolNames.length === 0) return { ...(await plainFormat.parse(rest, isPartial)), reasoning }
      return { ...withoutCalls(rest, isPartial, shape), reasoning }
    },
  }
}

function withoutThinking(
  text: string,
  isPartial: boolean,
  { thinking, beginsThinking }: GoAnswerShape,
): { readonly reasoning: string; readonly rest: string } {
  if (thinking === undefined) return { reasoning: '', rest: text }
  const { open, close } = thinking
  const start = text.trimStart()
  if (!beginsThinking && !start.startsWith(open)) {
    return { reasoning: '', rest: isPartial && open.startsWith(start) ? '' : text }
  }
  const inside = start.startsWith(open) ? start.slice(open.length) : start
  const end = inside.indexOf(close)
  if (end >= 0) return { reasoning: inside.slice(0, end).trim(), rest: inside.slice(end + close.length).trimStart() }
  return { reasoning: (isPartial ? withoutBeginningOf(close, inside) : inside).trim(), rest: '' }
}

function withoutCalls(
  text: string,
  isPartial: boolean,
  { toolCallTag: tag, toolNames }: GoAnswerShape,
): Pick<NativeChatAnswer, 'content' | 'toolCalls'> {
  // A brace is no tag of its own: only an answer that begins with it can be a call.
  const isBrace = tag === '{' || tag === '['
  const at = isBrace ? (/^\s*[{[]/.test(text) ? text.search(/[{[]/) : -1) : text.indexOf(tag)
  if (at < 0) return { content: isPartial && !isBrace ? withoutBeginningOf(tag, text) : text, toolCalls: [] }
  const toolCalls = callsIn(text.slice(isBrace ? at : at + tag.length), toolNames)
  if (toolCalls.length === 0 && !isPartial) return { content: text, toolCalls }
  return { content: text.slice(0, at).trimEnd(), toolCalls }
}

/** Every whole call in a text: an object with a tool's name and its arguments, or arguments behind the name. */
function callsIn(text: string, names: readonly string[]): readonly NativeToolCall[] {
  const calls: NativeToolCall[] = []
  let between = 0
  for (let at = nextBrace(text, 0); at >= 0; at = nextBrace(text, between)) {
    const span = readSpans(text.slice(at))
    if (span?.isWhole !== true) break
    const end = at + span.end
    const found = [...(text.charAt(at) === '[' ? span.items : [span])].flatMap((item) =>
      callOf(text.slice(at + item.start, at + item.end), item, text.slice(between, at), names),
    )
    calls.push(...found)
    between = end
  }
  return calls
}

function callOf(json: string, { fields }: JsonSpan, before: string, names: readonly string[]): NativeToolCall[] {
  const object = parseObject(json)
  if (object === undefined) return []
  const given = ['arguments', 'parameters'].find((field) => fields.has(field))
  const name = object['name']
  const call = (tool: string, value: unknown): NativeToolCall => {
    return { id: '', name: tool, arguments: JSON.stringify(value ?? {}) }
  }
  if (typeof name === 'string' && names.includes(name)) return [call(name, given === undefined ? {} : object[given])]
  const keyed = names.filter((tool) => fields.has(tool))
  if (keyed.length > 0) return keyed.map((tool) => call(tool, object[tool]))
  const named = names.filter((tool) => before.includes(tool)).sort((a, b) => b.length - a.length)[0]
  return named === undefined ? [] : [call(named, given === undefined ? object : object[given])]
}

function nextBrace(text: string, from: number): number {
  const braces = [text.indexOf('{', from), text.indexOf('[', from)].filter((at) => at >= 0)
  return braces.length === 0 ? -1 : Math.min(...braces)
}

/** The text without what may become `tag` at its end. */
function withoutBeginningOf(tag: string, text: string): string {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(tag.slice(0, length))) return text.slice(0, -length)
  }
  return text
}
