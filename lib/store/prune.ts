import { readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import type { Blobs } from './blobs.js'
import { parseDigest, type Digest } from './digest.js'
import { onDisk, systemCode } from './disk.js'
import { blobsDirectory, foundPath, ingestDirectory, manifestsDirectory, targetOf } from './layout.js'
import type { StoreWarning } from './manifest-file.js'
import { requireFolder } from './model-index.js'
import { readReferences } from './references.js'
import { whileReferencesHold } from './references-lock.js'
import { removeUnused } from './removal.js'
import { ownerOf, sweepTemporaries } from './sweep.js'

/** What {@link Store.prune} may remove. */
export interface PruneOptions {
  /**
   * How long nobody may have written to a file, in ms, so that what another program is about to use is left alone.
   * @default 3600000
   */
  readonly minAgeMs?: number | undefined
}

/** What {@link Store.prune} did. */
export interface PruneReport {
  readonly removedBlobs: readonly Digest[]
  /** Files of unfinished downloads, and others that have no digest for a name. */
  readonly removedFiles: number
  readonly freedBytes: number
  /** Damaged manifests; while there are any, all blobs are kept, since one of them may need them. */
  readonly warnings: readonly StoreWarning[]
}

const anHourMs = 3600_000

interface Tally {
  files: number
  bytes: number
}

/** Puts a store in order; see {@link Store.prune}. */
export async function pruneStore(
  directory: string,
  blobs: Blobs,
  { minAgeMs = anHourMs }: PruneOptions = {},
): Promise<PruneReport> {
  const tally: Tally = { files: 0, bytes: 0 }
  const isOld = async (path: string) => Date.now() - (await modifiedMs(path)) >= minAgeMs
  if (!(await exists(directory))) return { removedBlobs: [], removedFiles: 0, freedBytes: 0, warnings: [] }
  await requireFolder(directory)
  await sweepTemporaries(directory)
  await removePartials(directory, blobs, isOld, tally)
  return whileReferencesHold(directory, async () => {
    const strays = await renameOldBlobs(directory)
    await removeStrays(directory, strays, isOld, tally)
    const references = await readReferences(directory)
    const isSafe = references.warnings.length === 0
    const candidates = isSafe ? await oldBlobs(directory, blobs, isOld) : []
    const { digests, freedBytes } = await removeUnused(directory, blobs, candidates, references)
    await removeEmptyFolders(manifestsDirectory(directory), 3)
    return {
      removedBlobs: digests,
      removedFiles: tally.files,
      freedBytes: tally.bytes + freedBytes,
      warnings: references.warnings,
    }
  })
}

type IsOld = (path: string) => Promise<boolean>

// Whoever downloads holds the lock of what he downloads.
async function removePartials(directory: string, blobs: Blobs, isOld: IsOld, tally: Tally): Promise<void> {
  const folder = ingestDirectory(directory)
  const files = (await filesOf(folder)).map((name) => ({ name, target: targetOf(name) }))
  for (const target of new Set(files.map((file) => file.target))) {
    const lock = target === undefined ? undefined : await blobs.tryLock(target)
    if (lock === undefined) continue
    try {
      for (const { name } of files.filter((file) => file.target === target && !file.name.endsWith('.lock'))) {
        await removeIfOld(directory, foundPath(folder, name), isOld, tally)
      }
    } finally {
      await lock.release()
    }
  }
}

/** Brings names of old releases of Ollama to those of today; what stays without a digest for a name. */
async function renameOldBlobs(directory: string): Promise<string[]> {
  const folder = blobsDirectory(directory)
  const names = await filesOf(folder)
  const strays: string[] = []
  for (const name of names) {
    const digest = digestOfFile(name)
    if (digest === undefined) strays.push(name)
    else if (name.startsWith('sha256:')) {
      const today = name.replace(':', '-')
      if (names.includes(today)) strays.push(name)
      else
        await onDisk({ doing: 'rename a blob', directory }, () =>
          rename(foundPath(folder, name), foundPath(folder, today)),
        )
    }
  }
  return strays
}

async function removeStrays(directory: string, strays: readonly string[], isOld: IsOld, tally: Tally): Promise<void> {
  const pathOf = (name: string) => foundPath(blobsDirectory(directory), name)
  const running = new Set<string>()
  for (const name of strays) {
    const download = downloadOf(name)
    if (download !== undefined && !(await isOld(pathOf(name)))) running.add(download)
  }
  for (const name of strays) {
    // Temporary files of ours live as long as their owner, who may be copying for hours.
    if (ownerOf(name) !== undefined || running.has(downloadOf(name) ?? '')) continue
    await removeIfOld(directory, pathOf(name), isOld, tally)
  }
}

/** Of a file of a download by Ollama, what is downloaded: its parts go on for as long as one of them is young. */
function downloadOf(name: string): string | undefined {
  return /^(sha256[-:][0-9a-f]{64})-partial/.exec(name)?.[1]
}

async function oldBlobs(directory: string, blobs: Blobs, isOld: IsOld): Promise<Digest[]> {
  const old: Digest[] = []
  for (const name of await filesOf(blobsDirectory(directory))) {
    const digest = digestOfFile(name)
    if (digest !== undefined && (await isOld(blobs.path(digest)))) old.push(digest)
  }
  return old
}

async function removeIfOld(directory: string, path: string, isOld: IsOld, tally: Tally): Promise<void> {
  await onDisk({ doing: 'remove a file', directory }, async () => {
    const found = await statIfThere(path)
    if (found?.isFile() !== true || !(await isOld(path))) return
    await rm(path, { force: true })
    tally.files += 1
    tally.bytes += found.size
  })
}

async function removeEmptyFolders(folder: string, levels: number): Promise<void> {
  if (levels === 0) return
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory()) continue
    const path = foundPath(folder, entry.name)
    await removeEmptyFolders(path, levels - 1)
    // Of those that are not empty nothing is lost by trying.
    await rmdir(path).catch(() => {})
  }
}

function filesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  })
}

function digestOfFile(name: string): Digest | undefined {
  return /^sha256[:-][0-9a-f]{64}$/.test(name) ? parseDigest(name) : undefined
}

async function modifiedMs(path: string): Promise<number> {
  return (await statIfThere(path))?.mtimeMs ?? Date.now()
}

function statIfThere(path: string) {
  return stat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  })
}

async function exists(directory: string): Promise<boolean> {
  return (await statIfThere(directory)) !== undefined
}
