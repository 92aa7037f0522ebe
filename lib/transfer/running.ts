import { LlameroError } from '../errors.js'
import { ProgressFeed, type TransferProgress } from './progress.js'

/**
 * A transfer that runs. Await it for what it gives; iterate it for progress. Leaving the loop early stops it with
 * `ERR_CANCELLED`; nobody has to iterate.
 */
export interface RunningTransfer<Value> extends PromiseLike<Value>, AsyncIterable<TransferProgress> {
  readonly result: Promise<Value>
}

/** What a transfer works with. */
export interface TransferWork {
  readonly signal: AbortSignal
  readonly report: (news: TransferProgress) => void
}

/** Starts a transfer (or the making of a model, which may begin with one), and tells its success as the last of its news. */
export function runTransfer<Value>(
  what: string,
  signal: AbortSignal | undefined,
  work: (work: TransferWork) => Promise<Value>,
): RunningTransfer<Value> {
  const leaving = new AbortController()
  const feed = new ProgressFeed(() => leaving.abort(new LlameroError('ERR_CANCELLED', `The ${what} was stopped.`)))
  // Not AbortSignal.any: Node 20 lets a timeout that only it listens to be collected.
  const stop = () => leaving.abort(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted === true) stop()
  const result = work({ signal: leaving.signal, report: (news) => feed.report(news) }).finally(() =>
    signal?.removeEventListener('abort', stop),
  )
  result.then(
    () => {
      feed.report({ status: 'success' })
      feed.end()
    },
    (error: unknown) => feed.fail(error),
  )
  return {
    result,
    then: (onFulfilled, onRejected) => result.then(onFulfilled, onRejected),
    [Symbol.asyncIterator]: () => feed[Symbol.asyncIterator](),
  }
}
