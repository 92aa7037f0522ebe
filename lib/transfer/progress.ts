import type { Digest } from '../store/index.js'

/** One piece of news about a transfer, in the words of Ollama's API where it has the like. */
export interface TransferProgress {
  /**
   * `pulling manifest`, `pulling <12 hex digits>`, `verifying sha256 digest`, `writing manifest`,
   * `removing unused layers` (where a model is replaced), `success`; or
   * `retrieving manifest`, `pushing <12 hex digits>`, `pushing manifest`, `success`; or
   * `retrieving manifest`, `saving <12 hex digits>`, `success`; or
   * `reading archive`, `loading <12 hex digits>`, and from `verifying sha256 digest` on as for a pull.
   */
  readonly status: string
  /** What is being transferred. */
  readonly digest?: Digest
  /** Bytes that have arrived, those of earlier tries included. */
  readonly completed?: number
  /** Bytes that are to be transferred in all; left out while it is not known. */
  readonly total?: number
  /** Bytes per second over the last few seconds. */
  readonly ratePerSecond?: number
}

/** One piece of news about a pull. */
export type PullProgress = TransferProgress

/**
 * News on the way from a transfer to its reader, who may be slow or absent: unread news of one status is replaced by
 * newer, so that what waits stays short.
 */
export class ProgressFeed implements AsyncIterable<TransferProgress> {
  readonly #unread: TransferProgress[] = []
  readonly #onLeave: () => void
  #outcome: { readonly error?: unknown } | undefined
  #wake: (() => void) | undefined

  /** @param onLeave called when a reader stops before the end */
  constructor(onLeave: () => void) {
    this.#onLeave = onLeave
  }

  report(news: TransferProgress): void {
    const last = this.#unread.at(-1)
    if (last?.status === news.status && last.digest === news.digest) this.#unread.pop()
    this.#unread.push(news)
    this.#wake?.()
  }

  end(): void {
    this.#outcome = {}
    this.#wake?.()
  }

  fail(error: unknown): void {
    this.#outcome = { error }
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TransferProgress> {
    let isDone = false
    try {
      for (;;) {
        const news = this.#unread.shift()
        if (news !== undefined) yield news
        else if (this.#outcome !== undefined) {
          isDone = true
          if ('error' in this.#outcome) throw this.#outcome.error
          return
        } else await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      if (!isDone) this.#onLeave()
    }
  }
}

const windowMs = 3_000
const reportEveryMs = 60

/** Turns byte counts into progress, at most every 60 ms (Ollama's own pace) and at the end. */
export class ByteMeter {
  readonly #report: (news: { completed: number; total?: number; ratePerSecond?: number }) => void
  readonly #samples: { readonly at: number; readonly bytes: number }[] = []
  #lastReport = -Infinity

  constructor(report: (news: { completed: number; total?: number; ratePerSecond?: number }) => void) {
    this.#report = report
  }

  update(completed: number, total: number | undefined): void {
    const now = performance.now()
    const isEnd = completed === total
    if (now - this.#lastReport < reportEveryMs && !isEnd) return
    this.#lastReport = now
    this.#samples.push({ at: now, bytes: completed })
    while ((this.#samples[0]?.at ?? now) < now - windowMs) this.#samples.shift()
    const first = this.#samples[0]
    const seconds = first === undefined ? 0 : (now - first.at) / 1000
    const rate =
      first === undefined || seconds <= 0 ? undefined : Math.max(0, Math.round((completed - first.bytes) / seconds))
    this.#report({
      completed,
      ...(total !== undefined && { total }),
      ...(rate !== undefined && { ratePerSecond: rate }),
    })
  }
}
