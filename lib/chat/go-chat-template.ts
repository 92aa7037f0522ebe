import type { NativeChatGrammar, NativeTextPart, NativeThinkingTags } from '../native-types.js'
import { noGrammar, type ChatPrompt, type ChatTemplate, type Rendering } from './chat-template.js'
import { contentText } from './content.js'
import { goAnswerFormat } from './go-answer.js'
import {
  goTemplateCapabilities,
  renderGoTemplate,
  thinkingTags,
  toolCallTag,
  type GoMessage,
  type GoTemplate,
  type GoTool,
  type ThinkingTags,
} from './go-template/index.js'
import { prefixRules } from './grammar-text.js'
import type { Message } from './message.js'
import { describeTools } from './tool.js'

/** A template in Go's language, as models of Ollama bring it along. */
export class GoChatTemplate implements ChatTemplate {
  readonly source: string
  readonly supportsTools: boolean
  readonly supportsThinking: boolean
  readonly bindsTools = false
  readonly #template: GoTemplate
  readonly #tags: ThinkingTags | undefined

  constructor(template: GoTemplate) {
    const capabilities = goTemplateCapabilities(template)
    this.source = template.source
    this.supportsTools = capabilities.includes('tools')
    this.supportsThinking = capabilities.includes('thinking')
    this.#template = template
    this.#tags = thinkingTags(template)
  }

  async render(rendering: Rendering): Promise<ChatPrompt> {
    const { messages, tools, schema, grammar, reasoning } = rendering
    const parts = renderGoTemplate(this.#template, {
      messages: messages.map((message) => goMessage(message, rendering.mediaMarker)),
      tools: describeTools(tools) as unknown as readonly GoTool[],
      ...(reasoning.enabled !== undefined && { think: reasoning.level ?? reasoning.enabled }),
    })
    const thinking = this.#tags
    const beginsThinking = thinking !== undefined && endsWith(parts, thinking.open)
    const answer = schema?.grammarSource ?? grammar
    return {
      parts,
      grammar: answer === '' ? noGrammar : behindThinking(answer, thinking, beginsThinking),
      preservedTokens: new Int32Array(),
      stops: [],
      thinking: thinking === undefined ? undefined : nativeTags(thinking, beginsThinking),
      format: goAnswerFormat({
        thinking,
        beginsThinking,
        toolCallTag: toolCallTag(this.#template),
        toolNames: tools.map(({ name }) => name),
      }),
    }
  }
}

/** As in Ollama, what a message shows stands before what it says. */
function goMessage({ role, content, reasoning, toolCalls, toolName, toolCallId }: Message, marker: string): GoMessage {
  const images = typeof content === 'string' ? 0 : content.filter(({ type }) => type !== 'text').length
  const text = marker.repeat(images) + contentText(content)
  return { role, content: text, images, thinking: reasoning, toolCalls, toolName, toolCallId }
}

function endsWith(parts: readonly NativeTextPart[], tag: string): boolean {
  const end = parts.slice(-3).map(({ text }) => text)
  return end.join('').trimEnd().endsWith(tag)
}

function nativeTags({ open, close }: ThinkingTags, beginsThinking: boolean): NativeThinkingTags {
  return { start: open, ends: [close], prefix: beginsThinking ? open : '' }
}

/** The grammar of an answer that may, or must, come behind thinking. */
function behindThinking(answer: string, tags: ThinkingTags | undefined, beginsThinking: boolean): NativeChatGrammar {
  if (tags === undefined) return { ...noGrammar, grammar: answer }
  const [first = '', second = ''] = Array.from(tags.close)
  const thoughts = `([^${inClass(first)}] | ${quoted(first)}+ [^${inClass(first)}${inClass(second)}])*`
  const thinking = `${beginsThinking ? '' : `${quoted(tags.open)} `}${thoughts} ${quoted(tags.close)} [ \\t\\n]{0,4}`
  const root = `root ::= (${thinking})${beginsThinking ? '' : '?'} answer-root`
  return { ...noGrammar, grammar: `${root}\n${prefixRules(answer, 'answer-')}\n` }
}

function quoted(text: string): string {
  return JSON.stringify(text)
}

function inClass(character: string): string {
  return `[]\\^-`.includes(character) ? `\\${character}` : character
}
