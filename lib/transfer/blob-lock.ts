import { shortDigest, type Digest } from '../store/index.js'
import type { PullContext } from './pull-context.js'

/** Does what makes one blob. One process fetches, others watch it and then find the blob in place. */
export async function underBlobLock<Value>(
  { store, report, signal }: PullContext,
  digest: Digest,
  work: () => Promise<Value>,
): Promise<Value> {
  const onWait = () => {
    void store.partials
      .totalBytes(digest)
      .then((completed) => report({ status: `pulling ${shortDigest(digest)}`, digest, completed }))
  }
  const lock = await store.blobs.lock(digest, { signal, onWait })
  try {
    return await work()
  } finally {
    await lock.release()
  }
}
