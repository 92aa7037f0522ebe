import { rm, rmdir, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Blobs } from './blobs.js'
import { claimedDigests } from './claims.js'
import type { Digest } from './digest.js'
import { onDisk, syncDirectory, systemCode } from './disk.js'
import { manifestPath } from './layout.js'
import { nameParts, type ModelName } from './name.js'
import type { References } from './references.js'

/** What a removal has done. */
export interface RemovedBlobs {
  readonly digests: readonly Digest[]
  readonly freedBytes: number
}

/** Removes a manifest, and the folders above it that are empty then. */
export async function removeManifest(directory: string, name: ModelName): Promise<void> {
  await onDisk({ doing: 'remove a manifest', directory }, async () => {
    const path = manifestPath(directory, name)
    await unlink(path)
    await syncDirectory(dirname(path))
    await removeEmptyFolders(dirname(path), nameParts.length - 1)
  })
}

async function removeEmptyFolders(folder: string, levels: number): Promise<void> {
  if (levels === 0) return
  try {
    await rmdir(folder)
  } catch (error) {
    // Others are in it, or it is a link: then it stays, and so does all above it.
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'ENOENT', 'EPERM', 'EBUSY'].includes(systemCode(error) ?? '')) return
    throw error
  }
  await removeEmptyFolders(dirname(folder), levels - 1)
}

/**
 * Removes those of some blobs that no manifest names and no process claims. To be called while the references hold.
 * Who has a blob open goes on reading it.
 */
export async function removeUnused(
  directory: string,
  blobs: Blobs,
  candidates: Iterable<Digest>,
  { digests: used, isComplete }: References,
): Promise<RemovedBlobs> {
  const digests: Digest[] = []
  let freedBytes = 0
  if (!isComplete) return { digests, freedBytes }
  const claimed = await claimedDigests(directory)
  for (const digest of candidates) {
    const sizeBytes = used.has(digest) || claimed.has(digest) ? undefined : await blobs.sizeBytes(digest)
    if (sizeBytes === undefined) continue
    await onDisk({ doing: 'remove a blob', directory }, () => rm(blobs.path(digest), { force: true }))
    digests.push(digest)
    freedBytes += sizeBytes
  }
  return { digests, freedBytes }
}
