import { ReadableStream } from 'node:stream/web'
import { PartialJson } from '../chat/index.js'
import type { GenerationState } from './generation-state.js'
import { PartReader } from './part-reader.js'
import type { Part, Result } from './part.js'

const collected = new FinalizationRegistry<GenerationState>((state) => state.abandoned())

let construct: (state: GenerationState) => Generation

/** The handle that callers get for a request. */
export function createGeneration(state: GenerationState): Generation {
  return construct(state)
}

/**
 * One running request, started by `model.generate` or `model.chat`. Read it in either style or in both:
 *
 * ```ts
 * const { text, usage } = await model.chat('Why is the sky blue?')
 * for await (const part of model.chat('Why?')) if (part.type === 'text') process.stdout.write(part.text)
 * ```
 *
 * - **Readers.** Every iterator sees all parts from the first on, however late it starts. A reader that falls some
 *   1,024 tokens behind (or never starts) makes the engine park the sequence until it reads on; an awaited result
 *   takes everything at once.
 * - **Stopping.** `break` stops the decode, unless another iterator is open or the result is awaited. `abort()` always
 *   stops it, and the result is what there is, with `finishReason: 'abort'`. A signal rejects with its reason.
 *   Closing the model rejects with `ERR_DISPOSED`. A generation that becomes unreachable is stopped as well.
 * - **Failing.** Readers and awaiters each get the error. One that nobody ever asked about becomes an unhandled
 *   rejection when the generation is collected, unless a signal, a time limit or a closed model was its cause.
 */
export class Generation<Value = unknown> implements PromiseLike<Result<Value>>, AsyncIterable<Part> {
  readonly #state: GenerationState

  private constructor(state: GenerationState) {
    this.#state = state
    collected.register(this, state)
  }

  static {
    construct = (state) => new Generation(state)
  }

  /**
   * Settles with the result. Rejects with the reason of an aborted signal, or with `ERR_CONTEXT_FULL`,
   * `ERR_QUEUE_FULL`, `ERR_TIMEOUT`, `ERR_TEMPLATE`, `ERR_GRAMMAR`, `ERR_DISPOSED` or `ERR_ENGINE_CRASHED`.
   */
  then<Fulfilled = Result<Value>, Rejected = never>(
    onFulfilled?: ((result: Result<Value>) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((error: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return (this.#state.result() as Promise<Result<Value>>).then(onFulfilled, onRejected)
  }

  /** All parts; the last is `finish`. Throws what `await` would reject with. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Part, undefined> {
    return this.#read((part) => part)
  }

  /** Only the text, piece by piece. */
  get text(): AsyncIterable<string> {
    return { [Symbol.asyncIterator]: () => this.#read((part) => (part.type === 'text' ? part.text : undefined)) }
  }

  /**
   * With `schema` or `json`: what the answer says so far, whenever there is more of it. Strings grow; numbers and words
   * appear when they are whole. Each is a copy; only the result's `object` is checked.
   */
  get object(): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => this.#read(growingObject()) }
  }

  /** Stops the decode; the result is what there is, with `finishReason: 'abort'`. Does nothing once it has ended. */
  abort(): void {
    this.#state.abort()
  }

  /** All parts as a web stream, read as slowly as its consumer reads; cancelling it is like `break`. */
  toReadableStream(): ReadableStream<Part> {
    const reader = this.#read((part) => part)
    return new ReadableStream<Part>(
      {
        async pull(controller) {
          const { done, value } = await reader.next()
          if (done === true) controller.close()
          else controller.enqueue(value)
        },
        async cancel() {
          await reader.return()
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** Aborts, and resolves once the engine has let go of the sequence. Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.abort()
    await this.#state.result().catch(() => undefined)
  }

  #read<Value>(pick: (part: Part) => Value | undefined): PartReader<Value> {
    this.#state.opened()
    const reader = new PartReader(this.#state, pick)
    owners.set(reader, this)
    return reader
  }
}

function growingObject(): (part: Part) => unknown {
  let reader = new PartialJson()
  return (part) => {
    // Behind results of tools the answer begins anew.
    if (part.type === 'tool-result') reader = new PartialJson()
    return part.type === 'text' ? structuredClone(reader.add(part.text)) : undefined
  }
}

// An open iterator keeps its generation from being collected, and with it the sequence running.
const owners = new WeakMap<object, Generation>()
