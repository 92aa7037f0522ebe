import type { Message } from '../chat/index.js'
import { errorCodes, LlameroError, type ErrorCode } from '../errors.js'
import type { NativeFinish, NativeNews } from '../native-types.js'
import { onAbort } from './abort.js'
import { Answer, type StepAnswer } from './answer.js'
import type { Engine } from './engine.js'
import type { PartReader, PartSource } from './part-reader.js'
import type { FinishReason, Part, Result } from './part.js'
import type { AnswerPlan, PreparedRequest } from './step.js'
import { timeoutError } from './timeout-error.js'
import { addUsage, noUsage } from './usage.js'

/** How a generation ended; `answer` is what its last step came to. */
export type End =
  | { readonly failed: false; readonly result: Result; readonly answer: StepAnswer }
  | { readonly failed: true; readonly error: unknown }

// A reader is acknowledged in steps: native buffers 1,024 tokens, so a step of 256 never makes it wait.
const acknowledgeStep = 256
/**
 * What a running generation knows: one step, or several with tools running between them. The engine holds this, not the `Generation`, so that one which nobody can read any
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
 * S7  Between steps there is nothing to cancel in the engine: what runs then is told by its own signal.
 */
export class GenerationState implements PartSource {
  readonly parts: Part[] = []
  end: End | undefined
  readonly #engine: Engine
  readonly #signal: AbortSignal | undefined
  readonly #between = new AbortController()
  readonly #messages: Message[] = []
  #answer = new Answer(undefined, () => undefined)
  #usage = noUsage
  #stopping = false
  /** The engine is done with the step, which is being taken apart. */
  #ending = false
  /** Tools have run, and the step that reads their results is not in the engine yet. */
  #isBeforeStep = false
  #onEnd: (end: End) => void = () => undefined
  #release: () => void = () => undefined
  #unlisten: () => void = () => undefined
  #waiting: PartReader<unknown>[] = []
  #openReaders = 0
  #tokensBehind: number[] = []
  #received = 0
  /** Tokens of the steps before this one. */
  #receivedBefore = 0
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
    await prepare().then(
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
    if (this.#id !== undefined) this.#engine.cancel(this.#id)
    else if (!this.#ending) this.#finish('abort')
  }

  /** The `Generation` was collected. */
  abandoned(): void {
    if (this.#promise !== undefined) return
    this.abort()
    if (this.end?.failed === true && !this.#wasRead && !this.#blameless) void Promise.reject(this.end.error) // S5
  }

  async #submit(prepared: PreparedRequest): Promise<void> {
    try {
      const { sampler, preservedTokens } = prepared.request
      if (sampler.grammar !== '') await this.#engine.compileGrammar(sampler.grammar, preservedTokens)
      this.#enter(prepared)
    } catch (error) {
      this.#fail(error, isDisposed(error))
    } finally {
      prepared.release?.()
    }
  }

  #enter(prepared: PreparedRequest): void {
    if (this.end !== undefined) return
    this.#prepared = prepared
    this.#isBeforeStep = false
    this.#answer = new Answer(prepared.answer?.format, (part) => {
      this.#tell(part)
      this.#wake()
    })
    this.#receivedBefore = this.#received
    this.#id = this.#engine.submit(prepared.request, {
      take: (news) => this.#take(news),
      fail: (error) => this.#fail(error, isDisposed(error)),
    })
    if (this.#promise !== undefined) this.#acknowledge(-1)
  }

  #take(news: NativeNews): void {
    if (this.end !== undefined) return
    this.#received += news.tokens.length
    if (news.promptTokens !== undefined) {
      const inputTokens = this.#prepared?.request.tokens.length ?? 0
      this.#push({ type: 'progress', computedTokens: news.promptTokens, inputTokens })
    }
    this.#answer.add(news)
    if (news.finish === undefined) this.#wake()
    else this.#takeFinish(news.finish)
  }

  #takeFinish(finish: NativeFinish): void {
    this.#id = undefined
    const { reason, errorCode, errorMessage } = finish
    if (errorCode === 'ERR_TIMEOUT' && this.#prepared !== undefined) {
      return this.#fail(timeoutError(finish, this.#prepared.request), true)
    }
    if (reason === 'error') {
      const code = errorCode in errorCodes ? (errorCode as ErrorCode) : 'ERR_INTERNAL'
      const error = new LlameroError(code, errorMessage === '' ? undefined : errorMessage)
      return this.#fail(error, isDisposed(error))
    }
    this.#usage = addUsage(this.#usage, finish)
    const finishReason = reason === 'length' && this.#prepared?.endsWithContext === true ? 'context-full' : reason
    const plan = this.#prepared?.answer
    if (plan === undefined) return this.#finish(finishReason)
    this.#ending = true
    this.#endStep(finishReason, plan).catch((error: unknown) => this.#fail(error, isDisposed(error)))
  }

  /** Takes the whole answer apart, and goes on with a further step if its calls are answered. */
  async #endStep(finishReason: FinishReason, plan: AnswerPlan): Promise<void> {
    const answer = await this.#answer.end(finishReason === 'stop')
    if (this.#isOver()) return
    this.#usage = { ...this.#usage, reasoningTokens: this.#usage.reasoningTokens + answer.reasoningTokens }
    if (this.#stopping) {
      this.#finish('abort')
    } else if (finishReason === 'stop' && answer.toolCalls.length > 0) {
      await this.#followCalls(answer, plan)
    } else {
      const object = finishReason === 'abort' ? undefined : await plan.check?.(answer.text, finishReason)
      this.#finish(finishReason, object)
    }
  }

  async #followCalls(answer: StepAnswer, { follow }: AnswerPlan): Promise<void> {
    this.#ending = false
    this.#wake()
    const tell = (part: Part): void => {
      this.#tell(part)
      this.#wake()
    }
    const followed = await follow?.(answer, { signal: this.#between.signal, tell })
    if (this.#isOver()) {
      followed?.next?.release?.()
      return
    }
    if (followed !== undefined) this.#messages.push(answer.message, ...followed.results)
    if (followed?.next !== undefined) {
      // What was said is told; the step that comes has said nothing yet.
      this.#answer = new Answer(undefined, () => undefined)
      this.#isBeforeStep = true
      await this.#submit(followed.next)
    } else this.#finish('tool-calls', undefined, followed === undefined)
  }

  // A method, since what it tells changes while something is awaited.
  #isOver(): boolean {
    return this.end !== undefined
  }

  #finish(finishReason: FinishReason, object?: unknown, isLast = true): void {
    if (this.end !== undefined) return
    const answer = this.#answer.soFar()
    const { text, reasoning, toolCalls, message, tokens, logprobs } = answer
    const usage = this.#usage
    this.#push({ type: 'finish', finishReason, usage })
    const messages = isLast && !this.#isBeforeStep ? [...this.#messages, message] : [...this.#messages]
    const warnings = this.#prepared?.answer?.warnings ?? []
    const result = { text, reasoning, toolCalls, message, messages, object, finishReason, warnings, usage, tokens }
    this.#close({ failed: false, result: { ...result, ...(logprobs !== undefined && { logprobs }) }, answer })
  }

  #fail(error: unknown, blameless: boolean): void {
    if (this.end !== undefined) return
    this.#blameless = blameless
    this.#close({ failed: true, error })
    if (this.#id !== undefined) this.#engine.cancel(this.#id) // S4
  }

  #close(end: End): void {
    this.end = end
    this.#between.abort(end.failed ? end.error : undefined) // S7
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

  #tell(part: Part): void {
    if (this.end === undefined) this.#push(part)
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
    this.#engine.acknowledge(this.#id, tokens < 0 ? tokens : Math.max(0, tokens - this.#receivedBefore))
  }
}

function isDisposed(error: unknown): boolean {
  return error instanceof LlameroError && error.code === 'ERR_DISPOSED'
}
