import { invalidOption, type Message, type Schema, type SchemaOutput } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { NativeSnapshot } from '../native-types.js'
import { type Defaults, withDefaults } from './brought.js'
import { holdAdapters, nativeAdapters, requireAdapters } from './adapter-set.js'
import { checkCombination, chatOptions, type ChatValues } from './chat-options.js'
import type { ChatPrompts } from './chat-prompts.js'
import { chatStep, type PromptTokens } from './chat-step.js'
import {
  addedMessages,
  answered,
  awaitsAnswer,
  newConversation,
  takenBack,
  type Conversation,
  type Turn,
} from './conversation.js'
import { disposedError, type Engine } from './engine.js'
import { createGeneration, type Generation } from './generation.js'
import { GenerationState, type End } from './generation-state.js'
import type { OpenedModel } from './open-model.js'
import { type Limits, readOptions } from './option-rule.js'
import { contextFullError } from './context-full.js'
import { fitMessages } from './overflow.js'
import { messageLimits } from './prompt.js'
import { anyAnswer, prepareRequest, type RequestSetting } from './request.js'
import { allOrNone, noPrefix, prefixUpTo, type Prefix } from './session-prefix.js'
import { compareFingerprints, fingerprintOf } from './session-fingerprint.js'
import {
  prefillOptions,
  readSessionOptions,
  sessionChatOptions,
  type PrefillOptions,
  type SessionChatOptions,
  type SessionScope,
} from './session-options.js'
import type { PreparedRequest } from './step.js'
import { pathOf, readSaved, sessionToBytes, sessionToFile } from './session-storage.js'
import { requireMediaOfMessages } from './prompt-part.js'
import { commonPrefix, continuePrompt, type Prompt } from './transcript.js'

/** What a session needs of its model. */
export interface SessionHost {
  readonly opened: OpenedModel
  readonly engine: Engine
  readonly limits: Limits
  readonly defaults: Defaults
  readonly prompts: ChatPrompts
  checkOpen(): void
}

/** The prompt of a turn, beside what of it is known already. */
type SessionPrompt = Prompt & PromptTokens

const collected = new FinalizationRegistry<{ readonly engine: Engine; readonly id: number }>(({ engine, id }) => {
  engine.forgetSession(id).catch(() => undefined)
})

// What every next message of the user begins behind is what two that differ at once have in common.
const probes = ['a', '1'] as const

// What was computed to be saved may give way to running requests before it is.
const savingAttempts = 3

let construct: (host: SessionHost, scope: SessionScope, id: number, conversation: Conversation) => Session

/** Begins a session, or brings a saved one back. */
export async function openSession(host: SessionHost, options: unknown): Promise<Session> {
  const { messages, restore, ...scope } = readSessionOptions(options, host)
  requireAdapters(scope.adapters, host.opened)
  const id = host.engine.newSession()
  if (restore === undefined) {
    return construct(host, scope, id, newConversation(messages))
  }
  const saved = await readSaved(restore)
  compareFingerprints(saved.fingerprint, await fingerprintOf(host.opened, await host.prompts.open(), scope.adapters))
  const { contextSize } = host.limits
  if (saved.tokens.length > contextSize) {
    const details = { promptTokens: saved.tokens.length }
    throw contextFullError(`${saved.tokens.length} tokens in the saved session`, contextSize, details)
  }
  if (saved.snapshot !== undefined) {
    const root = { cacheKey: scope.cacheKey, adapters: nativeAdapters(scope.adapters) }
    await host.engine.restoreSession(id, root, saved.snapshot)
  }
  return construct(host, scope, id, saved)
}

/**
 * A conversation whose computed tokens are kept, made by `model.session`: a turn computes only what is new. It can be
 * branched, taken back, saved, and brought back in another process. Close it when done, by `close()` or `await using`.
 *
 * What is kept gives way when running requests need the memory; then the next turn computes it again. One answer at a
 * time: while one is running, everything but `close` throws or rejects with `ERR_SESSION_BUSY`; an answer that was
 * stopped, and other calls, are waited for. After `close`, and after `model.close()`, everything gives `ERR_DISPOSED`;
 * after an adapter of it was closed, `chat` and `prefill` do.
 */
export class Session {
  readonly #host: SessionHost
  readonly #scope: SessionScope
  readonly #id: number
  #conversation: Conversation
  /** The answer that is running. */
  #answer: GenerationState | undefined
  /** What computes without answering. */
  #computing: GenerationState | undefined
  /** Settles when all calls so far are done; never rejects. */
  #last: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined

  private constructor(host: SessionHost, scope: SessionScope, id: number, conversation: Conversation) {
    this.#host = host
    this.#scope = scope
    this.#id = id
    this.#conversation = conversation
    collected.register(this, { engine: host.engine, id }, this)
  }

  static {
    construct = (host, scope, id, conversation) => new Session(host, scope, id, conversation)
  }

  /** The conversation so far: a copy that later turns do not change. */
  get messages(): readonly Message[] {
    return this.#conversation.messages.map((message) => ({ ...message }))
  }

  /** Tokens of the conversation that were computed so far, answers included. */
  get usedTokens(): number {
    return this.#conversation.tokens.length
  }

  /**
   * Answers the next messages; a lone string is one message of the user, and an empty array asks for an answer to what
   * is there. They join `messages` together with the answer once it has ended, also after `abort()` or `break`, then with
   * the text so far. A generation that fails, or that a signal ends, leaves the session as it was.
   *
   * Throws at once: `ERR_OPTION_INVALID` `ERR_GRAMMAR` `ERR_SESSION_BUSY` `ERR_DISPOSED`. For what comes later see
   * {@link Generation}.
   */
  chat<Answer extends Schema = Schema>(
    messages: string | readonly Message[],
    options: SessionChatOptions<Answer> = {},
  ): Generation<SchemaOutput<Answer>> {
    const added = addedMessages(messages)
    const { engine, limits, opened } = this.#host
    requireMediaOfMessages(added, opened.info)
    const { adapters: _adapters, ...defaults } = this.#host.defaults.options
    const given = readOptions(sessionChatOptions, withDefaults<SessionChatOptions>(options, defaults), limits)
    const { cacheKey, adapters } = this.#scope
    const values = { ...given, cache: { key: cacheKey }, adapters }
    checkCombination(values)
    this.#admit()
    this.#checkAdapters()
    const state = new GenerationState(engine, values.signal)
    this.#answer = state
    const before = this.#last
    let turn: Turn | undefined
    this.#last = new Promise<void>((resolve) => {
      const prepare = async (): Promise<PreparedRequest> => {
        await before
        return this.#prepare(added, values, (next) => (turn = next))
      }
      const entered = state.start(prepare, (end) => {
        this.#answer = undefined
        const settle = (): Promise<void> => this.#settle(end, added, turn)
        void (turn === undefined ? before.then(settle) : settle()).then(resolve, resolve)
      })
      holdAdapters(adapters, entered)
    })
    return createGeneration(state) as Generation<SchemaOutput<Answer>>
  }

  /**
   * Computes ahead what the next turn will begin with, without an answer, so that its first token comes sooner. `messages`
   * join the conversation. Rejects as {@link Generation} does, and then leaves the session as it was.
   */
  async prefill(messages: readonly Message[] = [], options: PrefillOptions = {}): Promise<void> {
    const added = addedMessages(messages)
    const { limits } = this.#host
    const { priority, overflow, signal } = readOptions(prefillOptions, options, limits)
    const values = this.#computeValues({ priority, overflow, signal })
    this.#admit()
    this.#checkAdapters()
    await this.#inOrder(async () => {
      const all = [...this.#conversation.messages, ...added]
      const prefix = await this.#prefixOf(all, values)
      try {
        if (prefix.tokens.length > 0) await this.#compute(prefix, values)
      } finally {
        prefix.release()
      }
      this.#conversation = { ...this.#conversation, messages: all, tokens: prefix.tokens }
    })
  }

  /** A second session that goes on from here by itself. It shares what is computed, so it costs no computing. */
  async fork(): Promise<Session> {
    this.#admit()
    return this.#inOrder(async () => {
      const { engine } = this.#host
      const id = engine.newSession()
      await engine.forkSession(this.#id, id)
      return construct(this.#host, this.#scope, id, this.#conversation)
    })
  }

  /**
   * Takes messages back, computing nothing: the last `to` of them, or all but the first `to.keep`. A question and its
   * answer are two.
   */
  async rewind(to: number | { readonly keep: number }): Promise<void> {
    this.#admit()
    await this.#inOrder(async () => {
      const before = this.#conversation
      this.#conversation = takenBack(before, to)
      const common = commonPrefix(before.tokens, this.#conversation.tokens)
      // Without an answer that stays nothing is known to stay either; the next turn finds what its prompt has in common.
      if (common > 0) await this.#host.engine.cutSession(this.#id, common)
    })
  }

  /**
   * Saves the conversation with all that is computed of it, which is large: some 23 kB for each token of a small model of
   * 135 million weights. `model.session({ restore })` of the same model, opened the same way, brings it back, with the same adapters.
   *
   * @param path a file to be written or replaced as a whole; without it, the bytes are returned
   *
   * Rejects with `ERR_STORE`, `ERR_DISK_FULL`, or `ERR_CONTEXT_FULL` when what had given way finds no room.
   */
  save(path: string | URL): Promise<void>
  save(): Promise<Uint8Array>
  async save(path?: string | URL): Promise<Uint8Array | void> {
    const file = path === undefined ? undefined : pathOf(path, 'path')
    this.#admit()
    return this.#inOrder(async () => {
      const fingerprint = await fingerprintOf(this.#host.opened, await this.#host.prompts.open(), this.#scope.adapters)
      const saved = { fingerprint, ...this.#conversation, snapshot: await this.#snapshot() }
      return file === undefined ? sessionToBytes(saved) : sessionToFile(saved, file)
    })
  }

  /** Keeps nothing any longer; calling it again is harmless. An answer that runs rejects with `ERR_DISPOSED`. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  /** Does what `close` does, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    collected.unregister(this)
    const error = new LlameroError('ERR_DISPOSED', 'The session was closed; the generation was running.')
    this.#answer?.dispose(error)
    this.#computing?.dispose(error)
    await this.#last
    // A model that is closed at the same time keeps nothing either.
    await this.#host.engine.forgetSession(this.#id).catch(() => undefined)
  }

  #checkOpen(): void {
    this.#host.checkOpen()
    if (this.#closed !== undefined) throw new LlameroError('ERR_DISPOSED', 'The session was closed; make another one.')
  }

  #checkAdapters(): void {
    if (this.#scope.adapters.some(({ adapter }) => adapter.closed)) {
      throw disposedError('save the session and restore it with the adapter loaded again', 'adapter')
    }
  }

  #admit(): void {
    this.#checkOpen()
    if (this.#answer?.stopping !== false) return
    throw new LlameroError(
      'ERR_SESSION_BUSY',
      'The session is answering; wait for the answer, stop it, or go on in a fork made before.',
    )
  }

  #inOrder<Value>(task: () => Promise<Value>): Promise<Value> {
    const run = this.#last.then(() => {
      this.#checkOpen()
      return task()
    })
    this.#last = run.catch(() => undefined)
    return run
  }

  async #prepare(
    added: readonly Message[],
    values: ChatValues,
    onTurn: (turn: Turn) => void,
  ): Promise<PreparedRequest> {
    this.#checkOpen()
    const all = [...this.#conversation.messages, ...added]
    if (added.length === 0 && !awaitsAnswer(all)) {
      throw invalidOption('messages', 'at least one message, since the last one so far asks for no answer', [])
    }
    let leftOut = 0
    const prompt = async (messages: readonly Message[], step: ChatValues): Promise<SessionPrompt> => {
      const fitted = await this.#fit(messages, step)
      leftOut = fitted.leftOut
      return fitted.prompt
    }
    const prepared = ({ request }: PreparedRequest, made: SessionPrompt): void =>
      onTurn({ prompt: made, leftOut, request })
    return chatStep({ values, setting: this.#setting(), prompt, prepared }, all, values.maxSteps)
  }

  #fit(messages: readonly Message[], values: ChatValues): Promise<{ prompt: SessionPrompt; leftOut: number }> {
    const { transcript, leftOut } = this.#conversation
    const make = (some: readonly Message[]): Promise<SessionPrompt> =>
      this.#host.prompts.make(some, values, (parts) => continuePrompt(transcript, parts, this.#host.prompts.tokenizer))
    return fitMessages(messages, values, messageLimits(this.#host.limits), make, leftOut)
  }

  #setting(): RequestSetting {
    return { limits: this.#host.limits, bosToken: this.#host.opened.info.bosToken, session: this.#id }
  }

  /** What an answer, or its failure, leaves behind. */
  async #settle(end: End, added: readonly Message[], turn: Turn | undefined): Promise<void> {
    const { engine } = this.#host
    const before = this.#conversation
    if (end.failed) {
      if (turn === undefined || this.#closed !== undefined) return
      // Not before the engine was told to stop, which follows at once.
      await Promise.resolve()
      return engine.cutSession(this.#id, commonPrefix(before.tokens, turn.prompt.tokens))
    }
    const after = answered(before, added, turn, end, this.#host.prompts.tokenizer)
    this.#conversation = after
    if (turn === undefined) return
    // The end token and what follows a stop string are no part of the conversation.
    const computed = turn.prompt.tokens.length + end.answer.tokens.length - 1
    if (computed > after.tokens.length) await engine.cutSession(this.#id, after.tokens.length)
  }

  /** What every next prompt begins with. */
  async #prefixOf(messages: readonly Message[], values: ChatValues): Promise<Prefix> {
    if (awaitsAnswer(messages)) return (await this.#fit(messages, values)).prompt
    const [first, second] = await allOrNone(
      probes.map(async (content) => (await this.#fit([...messages, { role: 'user', content }], values)).prompt),
    )
    second?.release()
    return first === undefined || second === undefined
      ? noPrefix
      : prefixUpTo(first, commonPrefix(first.tokens, second.tokens))
  }

  #computeValues(given: PrefillOptions): ChatValues {
    const { cacheKey, adapters } = this.#scope
    return readOptions(chatOptions, { ...given, cache: { key: cacheKey }, adapters }, this.#host.limits)
  }

  async #compute({ tokens, placed: media }: Prefix, values: ChatValues): Promise<void> {
    this.#checkOpen()
    const state = new GenerationState(this.#host.engine, values.signal)
    this.#computing = state
    const { request, endsWithContext } = prepareRequest(tokens, values, { ...this.#setting(), media }, anyAnswer)
    const entered = state.start(async () => ({ request: { ...request, maxTokens: 0 }, endsWithContext }))
    holdAdapters(values.adapters, entered)
    try {
      await state.result()
    } finally {
      this.#computing = undefined
    }
  }

  /** All that is known of the conversation; its images and sounds are encoded again. */
  async #known(values: ChatValues): Promise<Prefix> {
    const { tokens, messages } = this.#conversation
    if (tokens.every((token) => token >= 0)) return { ...noPrefix, tokens }
    const { prompt } = await this.#fit([...messages, { role: 'user', content: probes[0] }], values)
    return prefixUpTo({ ...prompt, tokens }, tokens.length)
  }

  async #snapshot(): Promise<NativeSnapshot | undefined> {
    const { engine, limits } = this.#host
    const { tokens } = this.#conversation
    if (tokens.length === 0) return undefined
    const values = this.#computeValues({})
    for (let attempt = 0; attempt < savingAttempts; attempt++) {
      // The last token of an answer is chosen, but no cell is computed for it before the next turn.
      if ((await engine.sessionTokens(this.#id)) < tokens.length - 1) {
        const prefix = await this.#known(values)
        await this.#compute(prefixUpTo(prefix, limits.contextSize - 1), values).finally(prefix.release)
      }
      const snapshot = await engine.saveSession(this.#id)
      if (snapshot !== undefined) return snapshot
    }
    throw new LlameroError(
      'ERR_CONTEXT_FULL',
      'The running requests leave no room to compute the session; wait for some.',
    )
  }
}
