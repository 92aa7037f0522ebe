/** The part of the boundary that turns conversations into prompts and takes answers apart (`native/chat.cc`). */
import type { NativeHandle, NativeModel, NativeTextPart } from './native-types.js'

/** A Jinja template, parsed and analysed once. */
export type NativeChatTemplate = NativeHandle<'chat-template'>
/** How answers to one prompt are taken apart. */
export type NativeChatFormat = NativeHandle<'chat-format'>

/** What a template offers, found by rendering it. */
export interface NativeChatTemplateInfo {
  /** The template's text as it is used. */
  readonly source: string
  readonly supportsSystemRole: boolean
  readonly supportsTools: boolean
  readonly supportsToolCalls: boolean
  readonly supportsParallelToolCalls: boolean
  /** The template opens or closes a thinking block, so that thinking can be turned on and off. */
  readonly supportsThinking: boolean
  /** Wants the text of messages as lists of typed parts. */
  readonly requiresTypedContent: boolean
}

export interface NativeChatInput {
  /**
   * A JSON array of messages in OpenAI's shape: `role`, `content` (text, null or `{type: 'text', text}` parts),
   * `reasoning_content`, `tool_calls` (with `arguments` as JSON text), `tool_call_id`, `name`.
   */
  readonly messagesJson: string
  /** A JSON array of tools in OpenAI's shape; '' for none. */
  readonly toolsJson: string
  readonly toolChoice: 'auto' | 'required' | 'none'
  readonly parallelToolCalls: boolean
  /** The JSON schema that the answer's text must follow; '' for none. Not together with `grammar`. */
  readonly schemaJson: string
  /** GBNF for the answer's text; '' for none. Not together with tools. */
  readonly grammar: string
  readonly thinking: boolean
  /** Whether thinking is taken out of the content; else it stays there with its tags. */
  readonly separateThinking: boolean
  /** Further template variables as a JSON object. */
  readonly variablesJson: string
  readonly addGenerationPrompt: boolean
  /** Whether the last message is the beginning of the answer, and what goes on in it: `auto` goes by the message. */
  readonly continueFinalMessage: 'none' | 'auto' | 'reasoning' | 'content'
  /** What templates take for the present time, in ms since 1970. */
  readonly now: number
}

/** When a lazy grammar begins to bind. */
export interface NativeGrammarTrigger {
  /** `pattern`: a regular expression over all text since the answer's beginning; `token`: that token. */
  readonly kind: 'pattern' | 'token'
  readonly pattern: string
  readonly token: number
}

/** A grammar for an answer of several parts: thinking, calls of tools, text. */
export interface NativeChatGrammar {
  /** GBNF with a rule `root`; '' for none. */
  readonly grammar: string
  /** It binds only from a trigger on. */
  readonly lazy: boolean
  readonly triggers: readonly NativeGrammarTrigger[]
  /** The beginning of the answer that the prompt holds already, if the grammar has to accept it first. */
  readonly prefix: string
}

/** Where an answer's thinking begins and ends, in text. */
export interface NativeThinkingTags {
  readonly start: string
  readonly ends: readonly string[]
  /** The beginning of the answer that the prompt holds already; thinking may have begun in it. */
  readonly prefix: string
}

export interface NativeChatPrompt {
  /** Text that came from messages or variables is not trusted. */
  readonly parts: readonly NativeTextPart[]
  readonly grammar: NativeChatGrammar
  /** Special tokens whose text belongs to the answer. */
  readonly preservedTokens: Int32Array
  /** Further texts that end the answer. */
  readonly stops: readonly string[]
  /** Present if the template has a thinking block. */
  readonly thinking?: NativeThinkingTags
  readonly format: NativeChatFormat
  /** Whether every answer is one text, so that there is nothing to take apart. */
  readonly isPlain: boolean
}

export interface NativeToolCall {
  /** '' where the model gives none. */
  readonly id: string
  readonly name: string
  /** JSON text; the beginning of it in a partial answer. */
  readonly arguments: string
}

/** An answer taken apart. */
export interface NativeChatAnswer {
  readonly content: string
  readonly reasoning: string
  readonly toolCalls: readonly NativeToolCall[]
}

export interface ChatAddon {
  /**
   * Parses a template ('' for the model's own, ChatML where it has none). Rejects with `ERR_TEMPLATE`: it does not parse,
   * or is larger or deeper than allowed.
   */
  chatTemplate(model: NativeModel, source: string): Promise<NativeChatTemplate>
  chatTemplateInfo(template: NativeChatTemplate): NativeChatTemplateInfo
  /** Rejects with `ERR_TEMPLATE` for one that raises an exception or runs over its limits of steps, depth or text. */
  chatPrompt(template: NativeChatTemplate, input: NativeChatInput): Promise<NativeChatPrompt>
  /**
   * Takes an answer's text apart; a partial one as far as it goes, so that each longer beginning of the same answer gives
   * longer parts. A whole answer that does not follow the format is one text.
   */
  chatParse(format: NativeChatFormat, text: string, isPartial: boolean): Promise<NativeChatAnswer>
}
