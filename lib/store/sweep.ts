import { readdir, rm } from 'node:fs/promises'
import { blobsDirectory, foundPath, ingestDirectory } from './layout.js'
import { livenessOf, tokenOwner } from './process-identity.js'

/**
 * Removes the temporary files of processes that are gone for certain. Their names end in their owner's token; neither
 * the age of a file nor the clock has a say.
 */
export async function sweepTemporaries(directory: string): Promise<void> {
  for (const folder of [ingestDirectory(directory), blobsDirectory(directory)]) {
    for (const name of await readdir(folder).catch(() => [])) {
      const owner = tokenOwner(/(?:^|[.-])(\d+(?:-[0-9a-z]+){5})(?:\.tmp)?$/.exec(name)?.[1] ?? '')
      if (owner === undefined || (await livenessOf(owner)) !== 'dead') continue
      await rm(foundPath(folder, name), { recursive: true, force: true })
    }
  }
}
