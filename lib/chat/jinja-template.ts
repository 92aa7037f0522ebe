import { LlameroError } from '../errors.js'
import type {
  ChatAddon,
  NativeChatInput,
  NativeChatTemplate,
  NativeChatTemplateInfo,
  NativeModel,
} from '../native-types.js'
import { plainFormat, type AnswerFormat, type ChatPrompt, type ChatTemplate, type Rendering } from './chat-template.js'
import { eitherGrammar, embedGrammar } from './grammar-text.js'
import type { JsonObject, JsonValue } from './json.js'
import type { Message } from './message.js'
import type { ReasoningValues } from './reasoning.js'
import { describeTools } from './tool.js'

/** A Jinja template, rendered by llama.cpp, which also knows what the answers of its model look like. */
export class JinjaTemplate implements ChatTemplate {
  readonly source: string
  readonly supportsTools: boolean
  readonly supportsThinking: boolean
  readonly bindsTools = true
  readonly #addon: ChatAddon
  readonly #native: NativeChatTemplate

  private constructor(addon: ChatAddon, native: NativeChatTemplate, info: NativeChatTemplateInfo) {
    this.#addon = addon
    this.#native = native
    this.source = info.source
    this.supportsTools = info.supportsTools
    this.supportsThinking = info.supportsThinking
  }

  /** @param source '' for the model's own, or ChatML where it has none. Rejects with `ERR_TEMPLATE`. */
  static async open(addon: ChatAddon, model: NativeModel, source: string): Promise<JinjaTemplate> {
    const native = await naming(addon.chatTemplate(model, source))
    return new JinjaTemplate(addon, native, addon.chatTemplateInfo(native))
  }

  async render(rendering: Rendering): Promise<ChatPrompt> {
    const { schema, tools } = rendering
    if (schema === undefined) return this.#render(nativeInput(rendering, this.source))
    const marked = await this.#render({
      ...nativeInput({ ...rendering, tools: [] }, this.source),
      schemaJson: markedSchema,
    })
    const grammar = embedGrammar(marked.grammar.grammar, answerMark, schema.grammarSource)
    const answering = { ...marked, grammar: { ...marked.grammar, grammar } }
    return tools.length === 0 ? answering : this.#callingOrAnswering(rendering, answering)
  }

  /** llama.cpp has no grammar for tools and a schema at once: it is made of that for calls and that for an answer. */
  async #callingOrAnswering(rendering: Rendering, answering: ChatPrompt): Promise<ChatPrompt> {
    const input = nativeInput(rendering, this.source)
    const calling = await this.#render({ ...input, toolChoice: 'required' })
    if (input.toolChoice === 'required') return calling
    const prompt = await this.#render(input)
    const grammar = eitherGrammar(calling.grammar.grammar, answering.grammar.grammar)
    return {
      ...prompt,
      grammar: { ...calling.grammar, grammar },
      format: {
        async parse(text, isPartial) {
          const called = await (prompt.format ?? plainFormat).parse(text, isPartial)
          return called.toolCalls.length > 0 ? called : (answering.format ?? plainFormat).parse(text, isPartial)
        },
      },
    }
  }

  async #render(input: NativeChatInput): Promise<ChatPrompt> {
    const { isPlain, format, parts, grammar, preservedTokens, stops, thinking } = await naming(
      this.#addon.chatPrompt(this.#native, input),
    )
    const parse: AnswerFormat['parse'] = (text, isPartial) => this.#addon.chatParse(format, text, isPartial)
    return { parts, grammar, preservedTokens, stops, thinking, format: isPlain ? undefined : { parse } }
  }
}

/** Stands in llama.cpp's grammar where ours is put. */
const answerMark = 'llamero-answer'
const markedSchema = JSON.stringify({ const: answerMark })

function nativeInput(rendering: Rendering, source: string): NativeChatInput {
  const { tools, toolChoice, reasoning } = rendering
  const named = typeof toolChoice === 'object' ? toolChoice.tool : undefined
  const offered = named === undefined ? tools : tools.filter(({ name }) => name === named)
  return {
    messagesJson: JSON.stringify(rendering.messages.map((message) => templateMessage(message, rendering.mediaMarker))),
    toolsJson: offered.length === 0 ? '' : JSON.stringify(describeTools(offered)),
    toolChoice: typeof toolChoice === 'object' ? 'required' : toolChoice,
    parallelToolCalls: rendering.parallelToolCalls,
    schemaJson: '',
    grammar: rendering.grammar,
    thinking: reasoning.enabled ?? true,
    separateThinking: true,
    variablesJson: JSON.stringify({ ...rendering.variables, ...reasoningVariables(reasoning, source) }),
    addGenerationPrompt: rendering.addGenerationPrompt,
    continueFinalMessage: 'none',
    now: Date.now(),
  }
}

/** The variable that templates with levels read. That of gpt-oss, which has channels, knows no `max`. */
function reasoningVariables({ level }: ReasoningValues, source: string): JsonObject {
  if (level === undefined) return {}
  return { reasoning_effort: level === 'max' && source.includes('<|channel|>') ? 'high' : level }
}

/** A message as OpenAI's API writes it, which is how templates read it. */
function templateMessage(
  { role, content, reasoning, toolCalls, toolCallId, toolName }: Message,
  marker: string,
): JsonObject {
  const calls = toolCalls?.map(({ id, name, arguments: given }) => {
    return { id, type: 'function', function: { name, arguments: JSON.stringify(given) } }
  })
  return {
    role,
    content: typeof content === 'string' ? content : templateContent(content, marker),
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(calls !== undefined && calls.length > 0 && { tool_calls: calls }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(toolName !== undefined && { name: toolName }),
  }
}

function templateContent(content: Exclude<Message['content'], string>, marker: string): JsonValue {
  return content.map((part) =>
    part.type === 'text' ? { type: 'text', text: part.text } : { type: 'media_marker', text: marker },
  )
}

/** Everything that goes wrong in a template has its code. */
async function naming<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work
  } catch (error) {
    if (error instanceof LlameroError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new LlameroError('ERR_TEMPLATE', `The chat template failed: ${reason.slice(0, 1024)}`, { cause: error })
  }
}
