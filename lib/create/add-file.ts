import type { Layer, Store } from '../store/index.js'
import { copyIntoStore, type TransferProgress } from '../transfer/index.js'
import type { Scratch } from './scratch.js'

/** What the making of a model works with. */
export interface CreateContext {
  readonly store: Store
  readonly signal: AbortSignal
  readonly report: (news: TransferProgress) => void
  /** Where relative paths start. */
  readonly directory: string
  readonly scratch: Scratch
}

/**
 * Copies a file into the store and gives it its role.
 *
 * @param check a last look at the copy; what it throws keeps the copy out of the store
 * Errors: those of {@link copyIntoStore}.
 */
export async function addFile(
  context: CreateContext,
  path: string,
  mediaType: string,
  check: (copy: string) => Promise<void>,
): Promise<Layer> {
  const { digest, sizeBytes } = await copyIntoStore(context, path, check)
  context.report({ status: `creating new layer ${digest}` })
  return { mediaType, digest, size: sizeBytes }
}
