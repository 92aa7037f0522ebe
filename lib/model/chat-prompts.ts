import { type ChatPrompt, type ChatTemplate, messageBytes, messageTexts, type Message } from '../chat/index.js'
import type { NativeTextPart } from '../native-types.js'
import type { ChatValues } from './chat-options.js'
import { renderChat } from './chat-step.js'
import type { OpenedModel } from './open-model.js'
import { checkRuns, checkTextBytes } from './prompt.js'
import { openServingTemplate, type BroughtTemplate } from './serving-template.js'

/** Runs a native job of an open model when there is a thread for it. */
type RunJob = <Value>(job: () => Promise<Value>) => Promise<Value>

/** Makes prompts of a model's conversations, by the template that serves it, which is read when it is first needed. */
export class ChatPrompts {
  readonly #opened: OpenedModel
  readonly #brought: BroughtTemplate | undefined
  readonly #run: RunJob
  #template: Promise<ChatTemplate> | undefined

  constructor(opened: OpenedModel, brought: BroughtTemplate | undefined, run: RunJob) {
    this.#opened = opened
    this.#brought = brought
    this.#run = run
  }

  /** Rejects with `ERR_TEMPLATE`, `ERR_UNSUPPORTED`, and `ERR_CONTEXT_FULL` for texts that can't ever fit. */
  async render(messages: readonly Message[], values: ChatValues, addGenerationPrompt = true): Promise<ChatPrompt> {
    const { contextSize } = this.#opened.info
    checkTextBytes(messageBytes(messages), contextSize)
    for (const message of messages) for (const text of messageTexts(message)) checkRuns(text, contextSize)
    const { addon } = this.#opened
    const convert = (schema: string): string => addon.schemaToGrammar(schema)
    const template = await this.open()
    return this.#run(() => renderChat(template, messages, values, convert, addGenerationPrompt))
  }

  /** The tokens of a rendered conversation. */
  async tokenize(parts: readonly NativeTextPart[]): Promise<Int32Array> {
    const { addon, native, addsBos, info } = this.#opened
    const tokens = await this.#run(() => addon.tokenize(native, parts, { addSpecial: true }))
    // Most templates write the BOS token that the vocabulary adds as well; twice it would spoil the answer.
    const twice = addsBos && tokens[0] === info.bosToken && tokens[1] === info.bosToken
    return twice ? tokens.subarray(1) : tokens
  }

  /** The template that serves. Rejects with `ERR_TEMPLATE` or `ERR_UNSUPPORTED`. */
  open(): Promise<ChatTemplate> {
    return (this.#template ??= this.#run(() => openServingTemplate(this.#opened, this.#brought)))
  }
}
