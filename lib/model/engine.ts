import { LlameroError } from '../errors.js'
import type {
  Addon,
  NativeAdapter,
  NativeCacheRoot,
  NativeEngine,
  NativeEngineInfo,
  NativeEngineOptions,
  NativeEngineStats,
  NativeModel,
  NativeNews,
  NativeRequest,
  NativeSnapshot,
} from '../native-types.js'

/** Who gets the news of one request. */
export interface NewsReader {
  take(news: NativeNews): void
  fail(error: LlameroError): void
}

/** The JavaScript side of a batching engine: hands requests in and news out, and ends both when it closes. */
export class Engine {
  readonly info: NativeEngineInfo
  readonly #addon: Addon
  readonly #model: NativeModel
  readonly #native: NativeEngine
  readonly #readers: Map<number, NewsReader>
  readonly #capacity: number
  #admitted = 0
  #lastSession = 0
  #closing: Promise<void> | undefined

  private constructor(
    addon: Addon,
    model: NativeModel,
    native: NativeEngine,
    readers: Map<number, NewsReader>,
    queueLimit: number,
  ) {
    this.info = addon.engineInfo(native)
    this.#addon = addon
    this.#model = model
    this.#native = native
    this.#readers = readers
    this.#capacity = queueLimit + this.info.maxSequences
  }

  static async create(
    addon: Addon,
    model: NativeModel,
    options: NativeEngineOptions,
    draftModel?: NativeModel,
  ): Promise<Engine> {
    const readers = new Map<number, NewsReader>()
    const deliver = (news: readonly NativeNews[]): void => {
      for (const item of news) {
        const reader = readers.get(item.id)
        if (item.finish !== undefined) readers.delete(item.id)
        reader?.take(item)
      }
    }
    const native = await addon.engineCreate(model, options, deliver, draftModel)
    return new Engine(addon, model, native, readers, options.queueLimit)
  }

  /**
   * Counts a request in before its prompt is even tokenized, and returns how to count it out. Throws `ERR_QUEUE_FULL`
   * when as many run and wait as may, `ERR_DISPOSED` after `close`.
   */
  admit(): () => void {
    this.#checkOpen()
    if (this.#admitted >= this.#capacity) {
      throw new LlameroError(
        'ERR_QUEUE_FULL',
        `${this.#admitted} requests run or wait, which is all that may; try again later or raise queueLimit.`,
        { details: { requests: this.#admitted } },
      )
    }
    this.#admitted++
    let counted = true
    return () => {
      if (counted) this.#admitted--
      counted = false
    }
  }

  /** Compiles a grammar before a request with it enters, beside what the engine does. Rejects with `ERR_GRAMMAR`. */
  async compileGrammar(grammar: string, writtenTokens: Int32Array): Promise<void> {
    this.#checkOpen()
    await this.#addon.compileGrammar(this.#model, grammar, writtenTokens)
  }

  submit(request: NativeRequest, reader: NewsReader): number {
    this.#checkOpen()
    const id = this.#addon.engineSubmit(this.#native, request)
    this.#readers.set(id, reader)
    return id
  }

  cancel(id: number): void {
    if (this.#readers.has(id)) this.#addon.engineCancel(this.#native, id)
  }

  acknowledge(id: number, tokens: number): void {
    if (this.#readers.has(id)) this.#addon.engineAcknowledge(this.#native, id, tokens)
  }

  /** A number under which tokens can be kept for somebody. */
  newSession(): number {
    return ++this.#lastSession
  }

  /** Keeps what `session` has under the number `fork` too, if anything is left of it. */
  async forkSession(session: number, fork: number): Promise<void> {
    this.#checkOpen()
    await this.#addon.sessionFork(this.#native, session, fork)
  }

  /** How many tokens are kept for a session; 0 if they gave way to others. */
  async sessionTokens(session: number): Promise<number> {
    this.#checkOpen()
    return this.#addon.sessionTokens(this.#native, session)
  }

  async cutSession(session: number, tokens: number): Promise<void> {
    this.#checkOpen()
    await this.#addon.sessionCut(this.#native, session, tokens)
  }

  /** Keeps nothing for a session any longer; a closed engine keeps nothing anyway. */
  async forgetSession(session: number): Promise<void> {
    if (this.#closing === undefined) await this.#addon.sessionForget(this.#native, session)
  }

  async saveSession(session: number): Promise<NativeSnapshot | undefined> {
    this.#checkOpen()
    return this.#addon.sessionSave(this.#native, session)
  }

  /** Nobody may change or transfer the snapshot's bytes before the promise settles. */
  async restoreSession(session: number, root: NativeCacheRoot, snapshot: NativeSnapshot): Promise<void> {
    this.#checkOpen()
    await this.#addon.sessionRestore(this.#native, session, root, snapshot)
  }

  /** Lets go of an adapter; running requests keep it alive. */
  closeAdapter(adapter: NativeAdapter): Promise<void> {
    return this.#addon.adapterClose(adapter, this.#native)
  }

  stats(): NativeEngineStats {
    this.#checkOpen()
    return this.#addon.engineStats(this.#native)
  }

  /** Ends what runs and waits with `ERR_DISPOSED`; resolves when the engine's thread is gone. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const readers = [...this.#readers.values()]
    this.#readers.clear()
    const closed = this.#addon.engineClose(this.#native)
    for (const reader of readers) reader.fail(disposedError('the generation was running'))
    await closed
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw disposedError('nothing can be asked of it any more')
  }
}

export function disposedError(consequence: string, what = 'model'): LlameroError {
  return new LlameroError('ERR_DISPOSED', `The ${what} was closed; ${consequence}.`)
}
