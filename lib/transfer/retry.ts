import { setTimeout as delay } from 'node:timers/promises'
import { LlameroError } from '../errors.js'
import { isPassing } from './transfer-failure.js'

/** How often and how patiently a transfer is tried again. */
export interface RetryOptions {
  /** Tries in a row that may bring nearly nothing. @default 5 */
  readonly attempts?: number
  /** Pause before the second try in ms; doubled each time up to 10 s, and shortened by chance to spread clients. @default 500 */
  readonly pauseMs?: number
  /** Longest silence on the line in ms. @default 30000 */
  readonly idleMs?: number
}

// What a server asks for beyond this is not waited for in one go.
const longestWaitMs = 60_000

/** Tries again after failures that may pass; `hasAdvanced` says whether a failed try was worth it, so that the count starts anew. */
export async function retrying<Value>(
  attempt: () => Promise<Value>,
  {
    retry: { attempts = 5, pauseMs = 500 } = {},
    signal,
    hasAdvanced = () => false,
  }: {
    readonly retry?: RetryOptions | undefined
    readonly signal?: AbortSignal | undefined
    readonly hasAdvanced?: () => boolean
  },
): Promise<Value> {
  for (let failures = 0; ;) {
    try {
      return await attempt()
    } catch (error) {
      signal?.throwIfAborted()
      failures = hasAdvanced() ? 1 : failures + 1
      if (!isPassing(error) || failures >= attempts) throw error
      const pause = Math.min(pauseMs * 2 ** (failures - 1), 10_000) * (0.5 + Math.random() / 2)
      await delay(
        Math.max(pause, Math.min(askedWaitMs(error), longestWaitMs)),
        undefined,
        signal ? { signal } : {},
      ).catch(() => signal?.throwIfAborted())
    }
  }
}

function askedWaitMs(error: unknown): number {
  const wait = error instanceof LlameroError ? error.details.retryAfterMs : undefined
  return typeof wait === 'number' ? wait : 0
}
