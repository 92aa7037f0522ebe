import { resolve } from 'node:path'
import { LlameroError } from '../errors.js'
import { makeDirectory } from '../make-directory.js'
import type { NativeCacheFiles } from '../native-types.js'
import type { ModelValues } from './model-options.js'
import type { StateFingerprint } from './state-fingerprint.js'

/** The folder in which an engine keeps prefixes, made if it is missing; nothing unless one was asked for. */
export async function cacheFiles(
  { cacheDirectory, cacheDirectoryBytes, flashAttention }: ModelValues,
  fingerprint: () => Promise<StateFingerprint>,
): Promise<NativeCacheFiles | undefined> {
  if (cacheDirectory === undefined) return undefined
  const directory = resolve(cacheDirectory)
  try {
    await makeDirectory(directory, 0o700)
  } catch (cause) {
    const reason = (cause as { code?: string }).code ?? String(cause)
    throw new LlameroError(
      'ERR_STORE',
      `Could not make the folder ${directory} for the cache: ${reason}. Choose another cacheDirectory, or none.`,
      { cause, details: { directory } },
    )
  }
  // Values lie otherwise in memory without flash attention.
  const computedBy = { ...(await fingerprint()), flashAttention }
  return { directory, bytes: cacheDirectoryBytes, fingerprint: JSON.stringify(computedBy) }
}
