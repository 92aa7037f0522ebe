import { errorCodes, LlameroError, type ErrorCode } from '../errors.js'
import type { NativeFinish, NativeNews, NativeRequest } from '../native-types.js'
import { onAbort } from './abort.js'
import type { Engine } from './engine.js'
import { collectOutput } from './output.js'
import type { PartReader, PartSource } from './part-reader.js'
import type { FinishReason, Part, Result, Usage } from './part.js'
import { timeoutError } from './timeout-error.js'

/** A request ready for the engine. */
export interface PreparedRequest {
  readonly request: NativeRequest
  /** Whether `maxTokens` is the room left in the context, not the caller's number. */
  readonly endsWithContext: boolean
}

/** How a generation ended. */
export type End =
  { readonly failed: false; readonly result: Result } | { readonly failed: true; readonly error: unknown }

// A reader is acknowledged in steps: native buffers 1,024 tokens, so a step of 256 never makes it wait.
const acknowledgeStep = 256
const noUsage: Usage = {
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  draftTokens: 0,
  acceptedTokens: 0,
  queueMs: 0,
  prefillMs: 0,
  decodeMs: 0,
  ttftMs: 0,
}

/**
 * What a running generation knows. The engine holds this, not the `Generation`, so that one which nobody can read any
 * more is collected and its sequence freed.
 *
 * Rules, cited below:
 * S1  All parts stay; every reader sees them from the first on. The quickest reader counts for back-pressure.
 * S2  An awaited result takes everything and keeps the sequence running, whatever readers do.
 * S3  Without an awaited result the sequence is cancelled when the last reader leaves early.
 * S4  A signal or a failure ends it at once; `abort` lets the engine report what was done.
 * S5  An error surfaces through readers or the result. If the generation is collected and nobody ever asked, it becomes
 *     an unhandled rejection, unless the caller caused it (a signal, a closed model, a time limit).
 * S6  Whoever started it learns of its end before any reader or awaiter does.
 */
export class GenerationState implements PartSource {
  readonly parts: Part[] = []
  end: End | undefined
  readonly #engine: Engine
  readonly #output = collectOutput()
  readonly #signal: AbortSignal | undefined
  #stopping = false
  #onEnd: (end: End) => void = () => undefined
  #release: () => void = () => undefined
  #unlisten: () => void = () => undefined
  #waiting: PartReader<unknown>[] = []
  #openReaders = 0
  #tokensBehind: number[] = []
  #received = 0
  #taken = 0
  #acknowledged = 0
  #id: number | undefined
  #prepared: PreparedRequest | undefined
  #wasRead = false
  #blameless = false
  #promise: Promise<Result> | undefined
  #settle: { resolve(result: Result): void; reject(error: unknown): void } | undefined

  constructor(engine: Engine, signal: AbortSignal | undefined) {
    this.#engine = engine
    this.#signal = signal
  }

  /**
   * Starts; a queue that is full fails the generation. `onEnd` is called once (S6). Resolves when the request is in the
   * engine, or never will be.
   */
  async start(prepare: () => Promise<PreparedRequest>, onEnd: (end: End) => void = () => undefined): Promise<void> {
    this.#onEnd = onEnd
    const signal = this.#signal
    if (signal?.aborted === true) {
      this.#fail(signal.reason, true)
      return
    }
    try {
      this.#release = this.#engine.admit()
    } catch (error) {
      this.#fail(error, false)
      return
    }
    if (signal !== undefined) this.#unlisten = onAbort(signal, () => this.#fail(signal.reason, true))
    await prepare()
      .then(async (prepared) => {
        const { grammar } = prepared.request.sampler
        if (grammar !== '') await this.#engine.compileGrammar(grammar)
        return prepared
      })
      .then(
        (prepared) => this.#submit(prepared),
        (error: unknown) => this.#fail(error, isDisposed(error)),
      )
  }

  /** The result, shared by all who ask. */
  result(): Promise<Result> {
    this.#wasRead = true
    if (this.#promise === undefined) {
      this.#promise = new Promise((resolve, reject) => {
        this.#settle = { resolve, reject }
      })
      this.#announce()
      if (this.end === undefined) this.#acknowledge(-1)
    }
    return this.#promise
  }

  opened(): void {
    this.#openReaders++
  }

  taken(parts: number): void {
    this.#wasRead = true
    const tokens = parts >= this.parts.length ? this.#received : (this.#tokensBehind[parts - 1] ?? 0)
    if (tokens > this.#taken) this.#taken = tokens
    if (this.#taken - this.#acknowledged >= acknowledgeStep && this.#promise === undefined)
      this.#acknowledge(this.#taken)
  }

  waits(reader: PartReader<unknown>): void {
    if (!this.#waiting.includes(reader)) this.#waiting.push(reader)
  }

  left(early: boolean): void {
    this.#openReaders--
    if (early && this.#openReaders === 0 && this.#promise === undefined) this.abort() // S2, S3
  }

  /** Whether it has ended, or has been told to. */
  get stopping(): boolean {
    return this.#stopping || this.end !== undefined
  }

  /** Fails because its owner was closed. */
  dispose(error: LlameroError): void {
    this.#fail(error, true)
  }

  abort(): void {
    if (this.end !== undefined) return
    this.#stopping = true
    if (this.#id === undefined) this.#finish('abort', noUsage)
    else this.#engine.cancel(this.#id)
  }

  /** The `Generation` was collected. */
  abandoned(): void {
    if (this.#promise !== undefined) return
    this.abort()
    if (this.end?.failed === true && !this.#wasRead && !this.#blameless) void Promise.reject(this.end.error) // S5
  }

  #submit(prepared: PreparedRequest): void {
    if (this.end !== undefined) return
    this.#prepared = prepared
    try {
      this.#id = this.#engine.submit(prepared.request, {
        take: (news) => this.#take(news),
        fail: (error) => this.#fail(error, isDisposed(error)),
      })
    } catch (error) {
      return this.#fail(error, isDisposed(error))
    }
    if (this.#promise !== undefined) this.#acknowledge(-1)
  }

  #take(news: NativeNews): void {
    if (this.end !== undefined) return
    this.#received += news.tokens.length
    if (news.promptTokens !== undefined) {
      const inputTokens = this.#prepared?.request.tokens.length ?? 0
      this.#push({ type: 'progress', computedTokens: news.promptTokens, inputTokens })
    }
    const part = this.#output.add(news)
    if (part !== undefined) this.#push(part)
    if (news.finish === undefined) this.#wake()
    else this.#takeFinish(news.finish)
  }

  #takeFinish(finish: NativeFinish): void {
    const { reason, errorCode, errorMessage } = finish
    if (errorCode === 'ERR_TIMEOUT' && this.#prepared !== undefined) {
      return this.#fail(timeoutError(finish, this.#prepared.request), true)
    }
    if (reason === 'error') {
      const code = errorCode in errorCodes ? (errorCode as ErrorCode) : 'ERR_INTERNAL'
      const error = new LlameroError(code, errorMessage === '' ? undefined : errorMessage)
      return this.#fail(error, isDisposed(error))
    }
    const { inputTokens, cachedTokens, outputTokens, draftTokens, acceptedTokens } = finish
    const { queueMs, prefillMs, decodeMs, ttftMs } = finish
    const tokens = { inputTokens, cachedTokens, outputTokens, draftTokens, acceptedTokens }
    const usage = { ...tokens, queueMs, prefillMs, decodeMs, ttftMs }
    this.#finish(reason === 'length' && this.#prepared?.endsWithContext === true ? 'context-full' : reason, usage)
  }

  #finish(finishReason: FinishReason, usage: Usage): void {
    this.#push({ type: 'finish', finishReason, usage })
    this.#close({ failed: false, result: { ...this.#output.result(), finishReason, usage } })
  }

  #fail(error: unknown, blameless: boolean): void {
    if (this.end !== undefined) return
    this.#blameless = blameless
    this.#close({ failed: true, error })
    if (this.#id !== undefined) this.#engine.cancel(this.#id) // S4
  }

  #close(end: End): void {
    this.end = end
    this.#onEnd(end)
    this.#release()
    this.#unlisten()
    this.#announce()
    this.#wake()
  }

  #announce(): void {
    if (this.end?.failed === true) this.#settle?.reject(this.end.error)
    else if (this.end !== undefined) this.#settle?.resolve(this.end.result)
  }

  #push(part: Part): void {
    this.parts.push(part)
    this.#tokensBehind.push(this.#received)
  }

  #wake(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    for (const reader of waiting) reader.wake()
  }

  #acknowledge(tokens: number): void {
    if (this.#id === undefined || this.end !== undefined) return
    this.#acknowledged = tokens
    this.#engine.acknowledge(this.#id, tokens)
  }
}

function isDisposed(error: unknown): boolean {
  return error instanceof LlameroError && error.code === 'ERR_DISPOSED'
}
