import { readdir, rm } from 'node:fs/promises'
import { blobsDirectory, claimsDirectory, foundPath, ingestDirectory } from './layout.js'
import { livenessOf, tokenOwner, type ProcessIdentity } from './process-identity.js'

/**
 * Removes the temporary files of processes that are gone for certain. Their names end in their owner's token; neither
 * the age of a file nor the clock has a say.
 */
export async function sweepTemporaries(directory: string): Promise<void> {
  for (const folder of [ingestDirectory(directory), blobsDirectory(directory), claimsDirectory(directory)]) {
    for (const name of await readdir(folder).catch(() => [])) {
      const owner = ownerOf(name)
      if (owner === undefined || (await livenessOf(owner)) !== 'dead') continue
      await rm(foundPath(folder, name), { recursive: true, force: true })
    }
  }
}

/** Whose temporary file or claim it is by its name; undefined for other files. */
export function ownerOf(name: string): ProcessIdentity | undefined {
  return tokenOwner(/(?:^|[.-])(\d+(?:-[0-9a-z]+){5})(?:\.tmp)?$/.exec(name)?.[1] ?? '')
}
