import { access, constants, readdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { freeBytes } from './disk.js'
import { blobsDirectory, foundPath, ingestDirectory } from './layout.js'

/** What a store takes of its disk. */
export interface StoreUsage {
  /** Files of models, and what is left of transfers. */
  readonly files: number
  readonly sizeBytes: number
  /** What is free on the disk; undefined where the system does not tell. */
  readonly freeBytes: number | undefined
  /** Whether models can be added: of a store that is not there yet, whether it can be made. */
  readonly isWritable: boolean
}

/** Counts the files of a store; one that is not there has none. */
export async function storeUsage(directory: string): Promise<StoreUsage> {
  const sizes = await Promise.all([blobsDirectory(directory), ingestDirectory(directory)].map(fileSizes))
  const files = sizes.flat()
  const place = await existing(directory)
  return {
    files: files.length,
    sizeBytes: files.reduce((sum, size) => sum + size, 0),
    freeBytes: await freeBytes(place),
    isWritable: await isWritableFolder(place),
  }
}

async function fileSizes(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => [])
  const found = await Promise.all(names.map((name) => stat(foundPath(folder, name)).catch(() => undefined)))
  return found.filter((file) => file?.isFile()).map((file) => file?.size ?? 0)
}

/** The folder itself, or the nearest above it that is there. */
async function existing(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  const parent = dirname(path)
  return isThere || parent === path ? path : existing(parent)
}

async function isWritableFolder(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK)
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}
