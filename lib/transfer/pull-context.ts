import type { ReplaceOptions, Store } from '../store/index.js'
import type { RetryOptions } from './retry.js'
import type { ProxyVariables } from './http-proxy.js'
import type { TransferProgress } from './progress.js'

/** What every door works with during one pull. */
export interface PullContext {
  readonly store: Store
  readonly signal: AbortSignal
  readonly report: (news: TransferProgress) => void
  readonly pip?: readonly string[] | undefined
  readonly npm?: readonly string[] | undefined
  readonly variables?: ProxyVariables | undefined
  readonly retry?: RetryOptions | undefined
  /** Registries are asked by plain http, and addresses may be plain http. */
  readonly insecure?: boolean | undefined
  /** Path of the ed25519 key. */
  readonly identity?: string | undefined
  /** Bytes of a part of a blob; parts are fetched at the same time. */
  readonly partBytes?: number | undefined
}

/** Tells, in Ollama's words, that layers go which only the replaced model named. */
export function tellingRemoval({ report }: PullContext): ReplaceOptions {
  return { onUnused: () => report({ status: 'removing unused layers' }) }
}
