import type { Part } from './part.js'

/** What a reader reads: a growing list of parts with an end. */
export interface PartSource {
  readonly parts: readonly Part[]
  /** Set once nothing more will come; `error` if the stream failed. */
  readonly end: { readonly error?: unknown; readonly failed: boolean } | undefined
  /** The reader has taken so many parts. */
  taken(parts: number): void
  /** The reader waits for more: it must be woken by news. */
  waits(reader: PartReader<unknown>): void
  /** The reader is done for good; `early` if the end was not reached. */
  left(early: boolean): void
}

interface Waiter<Value> {
  resolve(result: IteratorResult<Value, undefined>): void
  reject(error: unknown): void
}

const done = { done: true, value: undefined } as const

/** One reading of a generation from its beginning; `pick` chooses and converts the parts, `undefined` skips one. */
export class PartReader<Value> implements AsyncIterableIterator<Value, undefined> {
  readonly #source: PartSource
  readonly #pick: (part: Part) => Value | undefined
  readonly #waiters: Waiter<Value>[] = []
  #position = 0
  #closed = false

  constructor(source: PartSource, pick: (part: Part) => Value | undefined) {
    this.#source = source
    this.#pick = pick
  }

  next(): Promise<IteratorResult<Value, undefined>> {
    if (this.#closed) return Promise.resolve(done)
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      this.wake()
    })
  }

  /** Ends the reading. The decode stops with the last reader, unless the result is awaited. */
  return(): Promise<IteratorResult<Value, undefined>> {
    this.#close(true)
    return Promise.resolve(done)
  }

  throw(error?: unknown): Promise<IteratorResult<Value, undefined>> {
    this.#close(true)
    return Promise.reject(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  /** Serves those who wait with what is there; called at every piece of news. */
  wake(): void {
    const { parts } = this.#source
    while (this.#waiters.length > 0) {
      const part = parts[this.#position]
      if (part === undefined) break
      this.#position++
      const value = this.#pick(part)
      if (value !== undefined) this.#waiters.shift()?.resolve({ done: false, value })
    }
    this.#source.taken(this.#position)
    if (this.#waiters.length === 0) return
    const { end } = this.#source
    if (end === undefined) {
      this.#source.waits(this)
      return
    }
    if (end.failed) this.#waiters.shift()?.reject(end.error)
    this.#close(false)
  }

  #close(early: boolean): void {
    if (this.#closed) return
    this.#closed = true
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(done)
    this.#source.left(early)
  }
}
