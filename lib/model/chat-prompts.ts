import {
  type ChatPrompt,
  type ChatTemplate,
  type ContentPart,
  describeTools,
  mediaMarker,
  messageBytes,
  messageTexts,
  type Message,
  splitAtMarker,
} from '../chat/index.js'
import type { NativeTextPart } from '../native-types.js'
import type { ChatValues } from './chat-options.js'
import { renderChat, type PromptTokens } from './chat-step.js'
import { MediaOfRequest } from './media-encoder.js'
import { mediumText, promptOfRendered, type MediaPrompt, type RenderedPart } from './media-prompt.js'
import type { RunJob } from './native-job.js'
import type { OpenedModel } from './open-model.js'
import { checkRuns, checkTextBytes } from './prompt.js'
import type { Tokenizer } from './transcript.js'
import { openServingTemplate, type BroughtTemplate } from './serving-template.js'

/** A conversation as its template wrote it; numbers stand for its images and sounds. */
interface Rendered {
  readonly chat: ChatPrompt
  readonly parts: readonly (NativeTextPart | number)[]
  readonly media: readonly Exclude<ContentPart, { readonly type: 'text' }>[]
}

/** Makes prompts of a model's conversations, by the template that serves it, which is read when it is first needed. */
export class ChatPrompts {
  readonly tokenizer: Tokenizer
  readonly #opened: OpenedModel
  readonly #brought: BroughtTemplate | undefined
  readonly #run: RunJob
  #template: Promise<ChatTemplate> | undefined

  constructor(opened: OpenedModel, brought: BroughtTemplate | undefined, run: RunJob) {
    this.#opened = opened
    this.#brought = brought
    this.#run = run
    const { addon, native } = opened
    this.tokenizer = {
      tokenizeChat: (parts) => this.#tokenizeFirst(parts),
      tokenize: (parts) => this.#run(() => addon.tokenize(native, parts, { addSpecial: false })),
      piece: (token) => addon.piece(native, token),
    }
  }

  /** The template that serves. Rejects with `ERR_TEMPLATE` or `ERR_UNSUPPORTED`. */
  open(): Promise<ChatTemplate> {
    return (this.#template ??= this.#run(() => openServingTemplate(this.#opened, this.#brought)))
  }

  /** The prompt as text. Rejects with `ERR_TEMPLATE`, `ERR_UNSUPPORTED`, `ERR_CONTEXT_FULL` for what can't ever fit. */
  async text(messages: readonly Message[], values: ChatValues, addGenerationPrompt: boolean): Promise<string> {
    const { parts } = await this.#render(messages, values, addGenerationPrompt)
    return parts.map((part) => (typeof part === 'number' ? mediumText : part.text)).join('')
  }

  /**
   * The prompt that `finish` makes of the rendered parts. Its images and sounds are held until `release`, or until this
   * rejects, as {@link text} does and with `ERR_MEDIA_INVALID` or `ERR_STORE`.
   */
  async make<Prompt extends { readonly tokens: Int32Array }>(
    messages: readonly Message[],
    values: ChatValues,
    finish: (parts: readonly RenderedPart[]) => Promise<Prompt>,
  ): Promise<Prompt & Pick<PromptTokens, 'chat' | 'release'>> {
    const rendered = await this.#render(messages, values, true)
    const held = new MediaOfRequest(this.#opened.media)
    const release = (): void => held.release()
    try {
      const prompt = await finish(await this.#encode(rendered, held, values.signal))
      return { ...prompt, chat: rendered.chat, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Tokens of rendered parts, with what the vocabulary puts at the beginning. */
  tokenize(parts: readonly RenderedPart[]): Promise<MediaPrompt> {
    const { tokenizeChat, tokenize } = this.tokenizer
    return promptOfRendered(parts, (run, first) => (first ? tokenizeChat(run) : tokenize(run)))
  }

  async #tokenizeFirst(parts: readonly NativeTextPart[]): Promise<Int32Array> {
    const { addon, native, addsBos, info } = this.#opened
    const tokens = await this.#run(() => addon.tokenize(native, parts, { addSpecial: true }))
    // Most templates write the BOS token that the vocabulary adds as well; twice it would spoil the answer.
    const twice = addsBos && tokens[0] === info.bosToken && tokens[1] === info.bosToken
    return twice ? tokens.subarray(1) : tokens
  }

  async #render(messages: readonly Message[], values: ChatValues, addGenerationPrompt: boolean): Promise<Rendered> {
    const { addon, info } = this.#opened
    checkTextBytes(messageBytes(messages), info.contextSize)
    for (const message of messages) for (const text of messageTexts(message)) checkRuns(text, info.contextSize)
    const beside = JSON.stringify([describeTools(values.tools), values.templateVariables])
    checkTextBytes(Buffer.byteLength(beside), info.contextSize)
    checkRuns(beside, info.contextSize)
    const template = await this.open()
    const setting = {
      addGenerationPrompt,
      mediaMarker: mediaMarker(),
      convertSchema: (schema: string): string => addon.schemaToGrammar(schema),
    }
    const chat = await this.#run(() => renderChat(template, messages, values, setting))
    const media = messages.flatMap(({ content }) =>
      typeof content === 'string' ? [] : content.filter((part) => part.type !== 'text'),
    )
    return { chat, parts: splitAtMarker(chat.parts, setting.mediaMarker, media.length), media }
  }

  async #encode(
    { parts, media }: Rendered,
    held: MediaOfRequest,
    signal: AbortSignal | undefined,
  ): Promise<readonly RenderedPart[]> {
    const encoded: RenderedPart[] = []
    for (const part of parts) {
      const medium = typeof part === 'number' ? media[part] : undefined
      if (typeof part !== 'number') encoded.push(part)
      if (medium === undefined) continue
      const source = medium.type === 'image' ? medium.image : medium.audio
      encoded.push({
        text: mediumText,
        trusted: true,
        medium: await held.encode(medium.type, source, signal),
      })
    }
    return encoded
  }
}
