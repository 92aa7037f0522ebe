import { normalizeMessages, relaxedWarnings, type Message, type Schema, type SchemaOutput } from '../chat/index.js'
import type { Addon, NativeMetadataOverride, NativeTextPart } from '../native-types.js'
import { backendReport, nativeAddon } from '../native.js'
import type { Adapter } from './adapter.js'
import { type BroughtAlong, type Defaults, defaultsOf, opened as openedConversation, withDefaults } from './brought.js'
import { holdAdapters, requireAdapters } from './adapter-set.js'
import { type AdapterJudge, type AdapterOptions, Adapters } from './adapters.js'
import type { ControlVectorData } from './control-vector.js'
import { embed, embedderOf, type EmbeddingMetrics, type EmbedResult, type TokenizeTexts } from './embed.js'
import type { EmbedInput } from './embed-input.js'
import type { EmbedOptions, RerankOptions } from './embed-options.js'
import { disposedError } from './engine.js'
import { chatOptions, checkCombination, type ChatOptions, type ChatValues } from './chat-options.js'
import { ChatPrompts } from './chat-prompts.js'
import { chatStep, type PromptTokens } from './chat-step.js'
import { createGate } from './gate.js'
import { MediaOfRequest, noMedia } from './media-encoder.js'
import type { RenderedPart } from './media-prompt.js'
import { createGeneration, type Generation } from './generation.js'
import { GenerationState } from './generation-state.js'
import { refuseSuffix, requireInfill } from './infill.js'
import { checkPaths, readModelOptions, type ModelOptions, type ProjectorSource } from './model-options.js'
import type { ModelInfo } from './model-info.js'
import type { ModelMetrics } from './model-metrics.js'
import { boolean } from './option-kinds.js'
import { type Limits, readOptions } from './option-rule.js'
import { engineOf, openNative, type OpenedModel } from './open-model.js'
import { generateOptions, type AnswerValues, type GenerateOptions } from './options.js'
import type { FinishReason } from './part.js'
import { fitMessages } from './overflow.js'
import { checkText, checkTokens, messageLimits } from './prompt.js'
import { answerSchema, checkObject } from './object.js'
import { isParts, requireMediaOfMessages, type RawPrompt } from './prompt-part.js'
import { RawPrompts } from './raw-prompts.js'
import { anyAnswer, prepareRequest, type RequestSetting } from './request.js'
import type { PreparedRequest } from './step.js'
import { readTemplateOptions, type TemplateOptions } from './template-options.js'
import { rerank, type RerankResult } from './rerank.js'
import { openSession, type Session } from './session.js'
import type { SessionOptions } from './session-options.js'

/** Where a model's weights lie. */
export interface ModelSource {
  /** A GGUF file. */
  readonly path: string
  /** Metadata that counts instead of what the file says. @default none */
  readonly metadataOverrides?: readonly NativeMetadataOverride[]
  /**
   * A GGUF file of a smaller model, or of a head that was trained with the model (EAGLE-3), that proposes tokens where a
   * request asks for speculation; see {@link SpeculationOptions}. It must have the same vocabulary, or opening rejects
   * with `ERR_UNSUPPORTED`.
   */
  readonly draftPath?: string | undefined
  /** The same for the draft model. @default none */
  readonly draftMetadataOverrides?: readonly NativeMetadataOverride[]
  /** What turns images and audio into what the model reads; without it prompts are text. The file must have been judged. */
  readonly projector?: ProjectorSource | undefined
  /** What judges adapter files for the model; without it there are no adapters from files. */
  readonly adapterJudge?: AdapterJudge
  /** What the model brings along for its answers. */
  readonly brought?: BroughtAlong
}

/** How text is cut into tokens. */
export interface TokenizeOptions {
  /** Read the text of special tokens, such as `<|im_end|>`, as these tokens instead of as plain text. @default false */
  readonly special?: boolean | undefined
  /** Add the tokens that the vocabulary wants at the beginning and end, such as BOS. @default false */
  readonly addSpecial?: boolean | undefined
}

/** How tokens become text. */
export interface DetokenizeOptions {
  /** Write special tokens out instead of leaving them away. @default false */
  readonly special?: boolean | undefined
}

const tokenizeOptions = {
  special: boolean({ default: false, doc: 'Read the text of special tokens as these tokens.' }),
  addSpecial: boolean({ default: false, doc: 'Add what the vocabulary wants at the beginning and end.' }),
}
const detokenizeOptions = { special: boolean({ default: false, doc: 'Write special tokens out.' }) }

// Each native job has a thread of its own; more at once than this would only take cores from the engine.
const nativeJobs = 4

let construct: (opened: OpenedModel, source: ModelSource) => Promise<Model>

/**
 * Opens a GGUF file that has passed the checks of `llamero/gguf`. Rejects with `ERR_MODEL_REJECTED`,
 * `ERR_OUT_OF_MEMORY`, `ERR_OPTION_INVALID`, `ERR_NATIVE_MISSING`, `ERR_STORE` for a `cacheDirectory` that can't be
 * made, or the reason of `options.signal`.
 */
export async function openModel(source: ModelSource, options: ModelOptions = {}, addon?: Addon): Promise<Model> {
  const paths = checkPaths(source)
  const values = readModelOptions(options)
  // An addon that was handed in is not llama.cpp's.
  const [native, llamaTag] = addon === undefined ? [nativeAddon(), backendReport().llamaTag] : [addon, '']
  return construct(await openNative(native, paths, values, llamaTag), source)
}

/**
 * An open model, made by `load`: weights in memory with a batching engine behind them. Calls are stateless and may overlap freely;
 * what runs at the same time is computed in the same batches. Close it when done, by `close()` or `await using`.
 */
export class Model {
  /** What is known of the model; stays readable after `close`. */
  readonly info: ModelInfo
  readonly #opened: OpenedModel
  readonly #limits: Limits
  readonly #adapters: Adapters
  readonly #gate = createGate(nativeJobs)
  readonly #prompts: ChatPrompts
  readonly #rawPrompts: RawPrompts
  #defaults: Defaults
  #closed: Promise<void> | undefined

  private constructor(opened: OpenedModel, { adapterJudge, brought }: ModelSource) {
    this.info = opened.info
    this.#opened = opened
    this.#limits = { ...opened.info, convertSchema: (schema) => opened.addon.schemaToGrammar(schema) }
    this.#adapters = new Adapters(opened, adapterJudge)
    this.#rawPrompts = new RawPrompts(opened, (job) => this.#run(job))
    this.#prompts = new ChatPrompts(opened, brought?.template, (job) => this.#run(job))
    this.#defaults = defaultsOf({}, [], opened.info)
  }

  static {
    construct = async (opened, source) => {
      const model = new Model(opened, source)
      try {
        await model.#loadBrought(source.brought)
      } catch (error) {
        await model.close()
        throw error
      }
      return model
    }
  }

  /**
   * Continues a raw prompt: text, token ids, or parts of text with images and audio between them. The text of special
   * tokens in it counts as these tokens, so never build it from what users typed; `chat` keeps them apart. No text stands
   * for an image: `<image>` and the like stay text. An empty prompt begins with the vocabulary's BOS token. With the
   * option `suffix` the answer fills the gap between prompt and suffix, and both count as plain text.
   *
   * Throws at once: `ERR_OPTION_INVALID` `ERR_TOKEN_INVALID` `ERR_GRAMMAR` `ERR_SCHEMA_UNSUPPORTED` `ERR_UNSUPPORTED`
   * (the model can't generate, or takes no images or audio) `ERR_DISPOSED`. For what comes later see {@link Generation};
   * images and audio may give `ERR_MEDIA_INVALID` and `ERR_STORE`.
   */
  generate<Answer extends Schema = Schema>(
    prompt: RawPrompt,
    options: GenerateOptions<Answer> = {},
  ): Generation<SchemaOutput<Answer>> {
    const checked = this.#rawPrompts.check(prompt)
    if (isParts(checked)) refuseSuffix(options)
    this.#checkOpen()
    const values = readOptions(generateOptions, this.#withDefaults(options), this.#limits)
    if (values.suffix !== undefined) requireInfill(this.#opened.infill, this.info)
    const schema = answerSchema(values)
    return this.#start(values, async () => {
      const held = new MediaOfRequest(this.#opened.media)
      const release = (): void => held.release()
      try {
        const { tokens, media } = await this.#rawPrompts.make(checked, values, held)
        const grammar = schema?.grammarSource ?? values.grammar
        const shape = { ...anyAnswer, grammar: { ...anyAnswer.grammar, grammar } }
        const request = prepareRequest(tokens, values, { ...this.#setting(), media }, shape)
        const check = schema && ((text: string, reason: FinishReason) => checkObject(schema, text, reason))
        return {
          ...request,
          release,
          answer: check && { format: undefined, check, warnings: relaxedWarnings('schema', schema.relaxed) },
        }
      } catch (error) {
        release()
        throw error
      }
    }) as Generation<SchemaOutput<Answer>>
  }

  /**
   * Answers a conversation; a lone string is one message of the user. The model's own chat template makes the prompt
   * (a model without one gets ChatML), and only the template can place special tokens: no message can forge a role.
   * Thinking and calls of tools are told apart from the text; tools that can be run are, and the model goes on with
   * what they return.
   *
   * Throws at once as `generate` does, and `ERR_SCHEMA_UNSUPPORTED`; `ERR_TEMPLATE` and `ERR_UNSUPPORTED` (thinking that
   * the template does not know) come later.
   */
  chat<Answer extends Schema = Schema>(
    messages: string | readonly Message[],
    options: ChatOptions<Answer> = {},
  ): Generation<SchemaOutput<Answer>> {
    const conversation = this.#conversation(messages)
    refuseSuffix(options)
    this.#checkOpen()
    const values = readOptions(chatOptions, this.#withDefaults(options), this.#limits)
    checkCombination(values)
    requireMediaOfMessages(conversation, this.info)
    const limits = messageLimits(this.#limits)
    const tokenize = async (parts: readonly RenderedPart[]): Promise<Pick<PromptTokens, 'tokens' | 'placed'>> => {
      const { tokens, media } = await this.#prompts.tokenize(parts)
      return { tokens, placed: media }
    }
    const prompt = async (some: readonly Message[], step: ChatValues): Promise<PromptTokens> => {
      const make = (fitting: readonly Message[]) => this.#prompts.make(fitting, step, tokenize)
      return (await fitMessages(some, step, limits, make)).prompt
    }
    const chat = { values, setting: this.#setting(), prompt }
    return this.#start(values, () => chatStep(chat, conversation, values.maxSteps)) as Generation<SchemaOutput<Answer>>
  }

  /**
   * A conversation of its own that keeps what is computed of it, can branch, go back, and be saved. Nothing is computed
   * before its first `chat` or `prefill`.
   *
   * Rejects with `ERR_OPTION_INVALID`, `ERR_UNSUPPORTED`, `ERR_DISPOSED`, and for what is restored `ERR_STATE_MISMATCH`
   * (other model, template, adapters, cache type or build, or a damaged file), `ERR_CONTEXT_FULL` or `ERR_STORE`.
   */
  async session(options: SessionOptions = {}): Promise<Session> {
    this.#checkOpen()
    return openSession(
      {
        opened: this.#opened,
        engine: engineOf(this.#opened),
        limits: this.#limits,
        defaults: this.#defaults,
        checkOpen: () => this.#checkOpen(),
        prompts: this.#prompts,
      },
      options,
    )
  }

  /**
   * The vectors of texts; many in one call cost much less than one by one. Text is plain text: that of special tokens
   * counts as letters, and the vocabulary's own stand around it. Token ids are taken as they are. A lone input gives a
   * list of one, an empty list gives none.
   *
   * Rejects with `ERR_OPTION_INVALID` `ERR_TOKEN_INVALID` `ERR_CONTEXT_FULL` (with `truncate: false`) `ERR_UNSUPPORTED`
   * `ERR_QUEUE_FULL` `ERR_OUT_OF_MEMORY` `ERR_DISPOSED`.
   */
  async embed(input: EmbedInput | readonly EmbedInput[], options: EmbedOptions = {}): Promise<EmbedResult> {
    this.#checkOpen()
    return embed(this.#opened, this.#tokenizeTexts, input, options)
  }

  /**
   * Ranks documents by how well they answer a query, with a model that was made for it (`info.canRerank`). A model's own
   * template for pairs is used if it has one.
   *
   * Rejects as `embed` does; `ERR_UNSUPPORTED` with a model that is no reranker.
   */
  async rerank(query: string, documents: readonly string[], options: RerankOptions = {}): Promise<RerankResult> {
    this.#checkOpen()
    return rerank(this.#opened, this.#tokenizeTexts, query, documents, options)
  }

  /** The tokens of a text. Rejects with `ERR_CONTEXT_FULL` beyond 32 bytes per token of the context. */
  async tokenize(text: string, options: TokenizeOptions = {}): Promise<Int32Array> {
    this.#checkOpen()
    const { special, addSpecial } = readOptions(tokenizeOptions, options, this.#limits)
    const clean = checkText(text, 'text', this.#limits.contextSize)
    return this.#tokenize([{ text: clean, trusted: special }], addSpecial)
  }

  /** The text of tokens; what is no valid UTF-8 becomes U+FFFD. Rejects with `ERR_TOKEN_INVALID`. */
  async detokenize(tokens: Int32Array | readonly number[], options: DetokenizeOptions = {}): Promise<string> {
    this.#checkOpen()
    const { special } = readOptions(detokenizeOptions, options, this.#limits)
    const { addon, native } = this.#opened
    const checked = checkTokens(tokens, 'tokens', this.info.vocabularySize)
    return this.#run(() => addon.detokenize(native, checked, { removeSpecial: !special, renderSpecial: special }))
  }

  /** How many tokens a text has, or the whole prompt that `chat` would make of messages. */
  async countTokens(input: string | readonly Message[]): Promise<number> {
    if (typeof input === 'string') return (await this.tokenize(input)).length
    this.#checkOpen()
    const conversation = this.#conversation(input)
    requireMediaOfMessages(conversation, this.info)
    const tokenize = (parts: readonly RenderedPart[]) => this.#prompts.tokenize(parts)
    const values = readTemplateOptions({}, this.#limits)
    const { tokens, release } = await this.#prompts.make(conversation, values, tokenize)
    release()
    return tokens.length
  }

  /** The prompt that the chat template makes of a conversation, as text. Rejects with `ERR_TEMPLATE`. */
  async template(messages: string | readonly Message[], options: TemplateOptions = {}): Promise<string> {
    this.#checkOpen()
    const values = readTemplateOptions(options, this.#limits)
    return this.#prompts.text(this.#conversation(messages), values, values.addGenerationPrompt)
  }

  /**
   * Loads a LoRA adapter from a GGUF file, to be chosen per request or session with the option `adapters`. The file is judged first,
   * so a damaged or hostile one is refused. Rejects with `ERR_MODEL_NOT_FOUND` `ERR_MODEL_INVALID`
   * `ERR_MODEL_REJECTED` (it was made for another model) `ERR_UNSUPPORTED` `ERR_DISPOSED`, or the reason of the signal.
   */
  async adapter(path: string, options: AdapterOptions = {}): Promise<Adapter> {
    this.#checkOpen()
    return this.#adapters.lora(path, options)
  }

  /**
   * Makes a control vector, from a GGUF file or from numbers, to be chosen per request or session with the option
   * `adapters`: it moves the state that leaves each layer in a direction. Rejects as `adapter` does, and with `ERR_OPTION_INVALID`.
   */
  async controlVector(source: string | ControlVectorData, options: AdapterOptions = {}): Promise<Adapter> {
    this.#checkOpen()
    return this.#adapters.controlVector(source, options)
  }

  /** Counters and state of the engine. Throws `ERR_UNSUPPORTED` for a model that can't generate. */
  metrics(): ModelMetrics {
    this.#checkOpen()
    return { ...engineOf(this.#opened).stats(), media: this.#opened.media?.stats() ?? noMedia }
  }

  /** Counters of what `embed` and `rerank` have computed. Throws `ERR_UNSUPPORTED` for a model that can't embed. */
  embeddingMetrics(): EmbeddingMetrics {
    this.#checkOpen()
    return embedderOf(this.#opened).stats()
  }

  /**
   * Frees everything; calling it again is harmless. Generations that run reject with `ERR_DISPOSED`, so that half an
   * answer is never taken for a whole one; later calls throw or reject with the same. With a `cacheDirectory`, what is
   * computed is written there first.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  /** Does what `close` does, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    const { addon, native, draft, engine, embedder, media } = this.#opened
    try {
      // What still reads the vocabulary holds the weights.
      await Promise.all([engine?.close(), embedder?.close(), this.#gate.settled()])
      await this.#adapters.close()
    } finally {
      media?.close()
      addon.modelClose(native)
      if (draft !== undefined) addon.modelClose(draft)
    }
  }

  #start(values: AnswerValues, prepare: () => Promise<PreparedRequest>): Generation {
    requireAdapters(values.adapters, this.#opened)
    const state = new GenerationState(engineOf(this.#opened), values.signal)
    holdAdapters(values.adapters, state.start(prepare))
    return createGeneration(state)
  }

  #withDefaults(options: GenerateOptions): GenerateOptions {
    return withDefaults(options, this.#defaults.options)
  }

  #setting(): RequestSetting {
    return { limits: this.#limits, bosToken: this.info.bosToken, session: 0 }
  }

  async #loadBrought({ adapterPaths = [], ...brought }: BroughtAlong = {}): Promise<void> {
    const adapters: Adapter[] = []
    for (const path of adapterPaths) adapters.push(await this.#adapters.lora(path, {}))
    this.#defaults = defaultsOf(brought, adapters, this.#limits)
  }

  #conversation(messages: string | readonly Message[]): readonly Message[] {
    return openedConversation(normalizeMessages(messages), this.#defaults)
  }

  #tokenize(parts: readonly NativeTextPart[], addSpecial: boolean): Promise<Int32Array> {
    const { addon, native } = this.#opened
    return this.#run(() => addon.tokenize(native, parts, { addSpecial }))
  }

  #tokenizeTexts: TokenizeTexts = (texts, addSpecial) => {
    const { addon, native } = this.#opened
    return this.#run(() => addon.tokenizeTexts(native, texts, { addSpecial }))
  }

  #run<Value>(job: () => Promise<Value>): Promise<Value> {
    return this.#gate(async () => {
      this.#checkOpen()
      return job()
    })
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw disposedError('open it again to go on')
  }
}
