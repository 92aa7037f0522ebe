import type { Store } from '../store/index.js'
import type { RetryOptions } from './download.js'
import type { ProxyVariables } from './http-proxy.js'
import type { PullProgress } from './progress.js'

/** What every door works with during one pull. */
export interface PullContext {
  readonly store: Store
  readonly signal: AbortSignal
  readonly report: (news: PullProgress) => void
  readonly pip: readonly string[] | undefined
  readonly variables: ProxyVariables | undefined
  readonly retry: RetryOptions | undefined
}
