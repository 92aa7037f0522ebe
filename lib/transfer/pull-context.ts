import type { Store } from '../store/index.js'
import type { RetryOptions } from './retry.js'
import type { ProxyVariables } from './http-proxy.js'
import type { TransferProgress } from './progress.js'

/** What every door works with during one pull. */
export interface PullContext {
  readonly store: Store
  readonly signal: AbortSignal
  readonly report: (news: TransferProgress) => void
  readonly pip?: readonly string[] | undefined
  readonly variables?: ProxyVariables | undefined
  readonly retry?: RetryOptions | undefined
  /** Registries are asked by plain http. */
  readonly insecure?: boolean | undefined
  /** Path of the ed25519 key. */
  readonly identity?: string | undefined
  /** Bytes of a part of a blob; parts are fetched at the same time. */
  readonly partBytes?: number | undefined
}
