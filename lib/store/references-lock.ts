import { onDisk } from './disk.js'
import { lockPath } from './layout.js'
import { acquireLock } from './lock.js'

/**
 * Runs work during which no other process of llamero writes a manifest, claims a blob or removes one, so that what was
 * seen to be unused stays so until it is gone. The work is short: files are named and unlinked, nothing is hashed.
 */
export async function whileReferencesHold<Value>(directory: string, work: () => Promise<Value>): Promise<Value> {
  const lock = await onDisk({ doing: 'lock the manifests', directory }, () =>
    acquireLock(lockPath(directory, 'references'), { pollMs: 20 }),
  )
  try {
    return await work()
  } finally {
    await lock.release()
  }
}
