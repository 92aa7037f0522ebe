import type { NativeChatAnswer, NativeChatGrammar, NativeTextPart, NativeThinkingTags } from '../native-types.js'
import type { JsonObject } from './json.js'
import type { Message } from './message.js'
import type { PreparedSchema, SchemaConverter } from './schema/index.js'
import type { ReasoningValues } from './reasoning.js'
import type { CheckedTool, ToolChoice } from './tool.js'

/** All that a prompt is made of. */
export interface Rendering {
  readonly messages: readonly Message[]
  readonly tools: readonly CheckedTool[]
  readonly toolChoice: ToolChoice
  readonly parallelToolCalls: boolean
  /** What the answer's text must follow. */
  readonly schema: PreparedSchema | undefined
  /** GBNF for the answer's text; '' for none. */
  readonly grammar: string
  readonly convertSchema: SchemaConverter
  /** What the template writes for each image and sound. */
  readonly mediaMarker: string
  readonly reasoning: ReasoningValues
  readonly variables: JsonObject
  readonly addGenerationPrompt: boolean
}

/** How an answer's text is taken apart. */
export interface AnswerFormat {
  /**
   * The parts of a text, of a partial one as far as they are certain; each longer beginning of the same answer gives
   * longer parts. Never fails: what follows no format is text.
   */
  readonly parse: (text: string, isPartial: boolean) => Promise<NativeChatAnswer>
}

/** A prompt, and what its answer will look like. */
export interface ChatPrompt {
  /** Text; only that of the template is trusted to hold special tokens. */
  readonly parts: readonly NativeTextPart[]
  readonly grammar: NativeChatGrammar
  /** Special tokens whose text belongs to the answer. */
  readonly preservedTokens: Int32Array
  /** Further texts that end the answer. */
  readonly stops: readonly string[]
  readonly thinking: NativeThinkingTags | undefined
  /** Absent if every answer is nothing but its text. */
  readonly format: AnswerFormat | undefined
}

/** What conversations become prompts by. */
export interface ChatTemplate {
  /** The template's own text. */
  readonly source: string
  readonly supportsTools: boolean
  readonly supportsThinking: boolean
  /** Whether it can see to it that tools are called. */
  readonly bindsTools: boolean
  /** Rejects with `ERR_TEMPLATE`. */
  render(rendering: Rendering): Promise<ChatPrompt>
}

/** An answer of which all is text. */
export const plainFormat: AnswerFormat = {
  parse: async (content) => ({ content, reasoning: '', toolCalls: [] }),
}

export const noGrammar: NativeChatGrammar = { grammar: '', lazy: false, triggers: [], prefix: '' }

/** A conversation and nothing else, as callers that only want its prompt have it. */
export const plainRendering: Omit<Rendering, 'messages' | 'convertSchema' | 'mediaMarker'> = {
  tools: [],
  toolChoice: 'auto',
  parallelToolCalls: true,
  schema: undefined,
  grammar: '',
  reasoning: { enabled: undefined, level: undefined, maxTokens: undefined },
  variables: {},
  addGenerationPrompt: true,
}
