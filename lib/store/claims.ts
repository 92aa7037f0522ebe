import { open, readdir, rm, stat } from 'node:fs/promises'
import { makeDirectory } from '../make-directory.js'
import { parseDigest, type Digest } from './digest.js'
import { onDisk, systemCode } from './disk.js'
import { claimPath, claimsDirectory, foundPath } from './layout.js'
import { livenessOf, newToken } from './process-identity.js'
import { whileReferencesHold } from './references-lock.js'
import { ownerOf } from './sweep.js'

/** How long a claim counts whose owner cannot be looked at (another machine, another container). */
const unseenOwnerMs = 24 * 3600_000

/**
 * Blobs that this process has put into the store, or found there, for a manifest that it has yet to write. Until then
 * nothing else shows that they are needed, so that who removes blobs leaves claimed ones alone. A claim is an empty
 * file that names its owner and ends with it.
 */
export class Claims {
  readonly #directory: string
  readonly #held = new Map<Digest, Promise<string>>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Claims a blob; whoever was about to remove it has done so when this settles. */
  async add(digest: Digest): Promise<void> {
    const known = this.#held.get(digest)
    const claim = known ?? this.#place(digest)
    this.#held.set(digest, claim)
    try {
      await claim
    } catch (error) {
      this.#held.delete(digest)
      throw error
    }
  }

  /** Gives claims up, all of them if none are named. */
  async release(digests: Iterable<Digest> = [...this.#held.keys()]): Promise<void> {
    for (const digest of digests) {
      const claim = this.#held.get(digest)
      this.#held.delete(digest)
      const path = await claim?.catch(() => undefined)
      // What cannot be removed now is swept when this process is gone.
      if (path !== undefined) await rm(path, { force: true }).catch(() => {})
    }
  }

  async #place(digest: Digest): Promise<string> {
    const path = claimPath(this.#directory, digest, await newToken())
    return onDisk({ doing: 'claim a blob', directory: this.#directory }, async () => {
      await makeDirectory(claimsDirectory(this.#directory))
      await whileReferencesHold(this.#directory, async () => {
        await (await open(path, 'wx', 0o644)).close()
      })
      return path
    })
  }
}

/** The blobs that any living process claims. */
export async function claimedDigests(directory: string): Promise<ReadonlySet<Digest>> {
  const folder = claimsDirectory(directory)
  const claimed = new Set<Digest>()
  // What cannot be looked into may hold claims: only a folder that is not there has none.
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  })
  for (const name of names) {
    const owner = ownerOf(name)
    if (owner === undefined) continue
    const liveness = await livenessOf(owner)
    const counts = liveness === 'alive' || (liveness === 'unknown' && (await isYoung(foundPath(folder, name))))
    if (counts) claimed.add(parseDigest(name.slice(0, 71)))
  }
  return claimed
}

function isYoung(path: string): Promise<boolean> {
  return stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs < unseenOwnerMs,
    () => false,
  )
}
