import type { NativeChatAnswer, NativeToolCall } from '../native-types.js'
import type { AnswerFormat, ChatPrompt, ChatTemplate, Rendering } from './chat-template.js'
import { contentText } from './content.js'
import { decodeString, readSpans, type JsonSpan } from './json-span.js'
import type { JsonObject } from './json.js'
import type { Message } from './message.js'
import { nested } from './nested-schema.js'
import { type PreparedSchema, prepareSchema } from './schema/index.js'
import { type CheckedTool, describeTools } from './tool.js'

/**
 * Tools for models whose template knows none. The instructions say that every answer is one JSON object, and a grammar
 * sees to it: `{"tool_calls": [{"name", "arguments"}]}`, or `{"response": text}`. llama.cpp had the same form before it
 * began to derive one from each template.
 */
export async function renderWithGenericTools(template: ChatTemplate, rendering: Rendering): Promise<ChatPrompt> {
  const { tools, schema, messages } = rendering
  const prompt = await template.render({
    ...rendering,
    messages: withInstructions(messages.map(asText), instructions(tools)),
    tools: [],
    schema: compact(prepareSchema(answerSchema(rendering), rendering.convertSchema)),
  })
  return { ...prompt, format: unwrapping(prompt.format, schema !== undefined) }
}

function instructions(tools: readonly CheckedTool[]): string {
  return [
    'You can call tools. Every answer is one JSON object. To call tools, answer',
    '{"tool_calls": [{"name": "the tool", "arguments": {}}]}',
    'and you will get the results. To speak to the user, answer',
    '{"response": "the text"}',
    'These are the tools:',
    JSON.stringify(describeTools(tools).map((description) => description['function'])),
  ].join('\n')
}

function withInstructions(messages: readonly Message[], text: string): readonly Message[] {
  const [first, ...rest] = messages
  if (first?.role !== 'system') return [{ role: 'system', content: text }, ...messages]
  return [{ ...first, content: `${contentText(first.content)}\n\n${text}` }, ...rest]
}

/** Calls and results as text, for a template that has no place for them. */
function asText(message: Message): Message {
  const { role, content, toolCalls = [], toolName } = message
  if (role === 'tool') {
    return { role: 'user', content: `Result of ${toolName ?? 'the tool'}: ${contentText(content)}` }
  }
  if (toolCalls.length === 0) return message
  const calls = toolCalls.map(({ name, arguments: given }) => ({ name, arguments: given }))
  return { role, content: JSON.stringify({ tool_calls: calls }) }
}

function answerSchema({ tools, toolChoice, parallelToolCalls, schema }: Rendering): JsonObject {
  const named = typeof toolChoice === 'object' ? toolChoice.tool : undefined
  const callable = named === undefined ? tools : tools.filter(({ name }) => name === named)
  const $defs: Record<string, JsonObject> = {}
  const use = (inner: JsonObject, name: string): JsonObject => {
    const { definition, use: reference } = nested(inner, name)
    $defs[name] = definition
    return reference
  }
  const calls = callable.map(({ name, parameters }) =>
    fixedObject({ name: { const: name }, arguments: use(parameters.shown, `tool ${name}`) }),
  )
  const toCall = fixedObject({
    tool_calls: {
      type: 'array',
      items: calls.length === 1 ? (calls[0] ?? {}) : { anyOf: calls },
      minItems: 1,
      ...(!parallelToolCalls && { maxItems: 1 }),
    },
  })
  if (toolChoice !== 'auto') return { ...toCall, $defs }
  const response = schema === undefined ? { type: 'string' } : use(schema.json as JsonObject, 'response')
  return { anyOf: [toCall, fixedObject({ response })], $defs }
}

/** Small models lose themselves in white space: here at most one space stands between two signs. */
function compact(schema: PreparedSchema): PreparedSchema {
  return { ...schema, grammarSource: schema.grammarSource.replace(/^space ::= .*$/m, 'space ::= " "?') }
}

function fixedObject(properties: JsonObject): JsonObject {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false }
}

function unwrapping(inner: AnswerFormat | undefined, responseIsJson: boolean): AnswerFormat {
  return {
    async parse(text, isPartial) {
      const outer = inner === undefined ? plainAnswer(text) : await inner.parse(text, isPartial)
      return { ...unwrapped(outer.content, isPartial, responseIsJson), reasoning: outer.reasoning }
    },
  }
}

function plainAnswer(content: string): NativeChatAnswer {
  return { content, reasoning: '', toolCalls: [] }
}

function unwrapped(
  text: string,
  isPartial: boolean,
  responseIsJson: boolean,
): Pick<NativeChatAnswer, 'content' | 'toolCalls'> {
  const answer = readSpans(text)
  const slice = (span: JsonSpan): string => text.slice(span.start, span.end)
  const response = answer?.fields.get('response')
  if (response !== undefined) {
    const raw = slice(response)
    return { content: responseIsJson ? raw : decodeString(raw), toolCalls: [] }
  }
  const calls = answer?.fields.get('tool_calls')?.items ?? []
  const toolCalls = calls.flatMap((call): NativeToolCall[] => {
    const name = call.fields.get('name')
    if (name?.isWhole !== true) return []
    const given = call.fields.get('arguments')
    return [{ id: '', name: decodeString(slice(name)), arguments: given === undefined ? '' : slice(given) }]
  })
  // Only an answer that was cut, or that no grammar bound, is neither.
  return { content: toolCalls.length === 0 && !isPartial ? text : '', toolCalls }
}
