import { Store } from './store.js'

/**
 * Runs work that writes a manifest on a store object of its own: what it claimed and did not name in the end is given up,
 * and nothing of what others claim beside it.
 */
export async function withOwnClaims<Value>(
  { directory }: Store,
  work: (store: Store) => Promise<Value>,
): Promise<Value> {
  const store = new Store({ directory })
  try {
    return await work(store)
  } finally {
    await store.blobs.release()
  }
}
