import { open, readdir, rm, stat, type FileHandle } from 'node:fs/promises'
import { makeDirectory } from '../make-directory.js'
import type { Digest } from './digest.js'
import { onDisk, systemCode, writeFully } from './disk.js'
import { foundPath, ingestDirectory, partPath, partPrefix, type PartIdentity } from './layout.js'

/** A file that grows from its front; what it holds survives the process and is never trusted before it is verified. */
export interface PartialFile {
  /** Bytes kept so far. */
  readonly sizeBytes: number
  /** Adds bytes at the end. Errors: `ERR_DISK_FULL`, `ERR_STORE`. */
  append(bytes: Uint8Array): Promise<void>
  /** Lets go of the file; its bytes stay for the next try. */
  close(): Promise<void>
}

/**
 * The bytes of unfinished downloads, kept under the digest that they are collected for. Whoever writes holds the lock
 * of that digest ({@link Blobs.lock}).
 */
export class PartialFiles {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Where a part is, or would be. */
  path(target: Digest, part: PartIdentity): string {
    return partPath(this.#directory, target, part)
  }

  /** Bytes kept of a part. */
  async sizeBytes(target: Digest, part: PartIdentity): Promise<number> {
    return sizeOf(this.path(target, part))
  }

  /** Bytes kept of all parts for a digest. */
  async totalBytes(target: Digest): Promise<number> {
    let sum = 0
    for (const path of await this.#all(target)) sum += await sizeOf(path)
    return sum
  }

  /** Opens a part to go on with it; one that is longer than it may be starts over. */
  async open(target: Digest, part: PartIdentity, limit: number, neededBytes?: number): Promise<PartialFile> {
    const work = {
      doing: 'keep what was downloaded',
      directory: this.#directory,
      ...(neededBytes !== undefined && { neededBytes }),
    }
    const path = this.path(target, part)
    const { file, size } = await onDisk(work, async () => {
      await makeDirectory(ingestDirectory(this.#directory))
      const file = await openOrCreate(path)
      const size = (await file.stat()).size
      if (size <= limit) return { file, size }
      await file.truncate(0)
      return { file, size: 0 }
    })
    let sizeBytes = size
    return {
      get sizeBytes() {
        return sizeBytes
      },
      async append(bytes) {
        await onDisk(work, () => writeFully(file, bytes, sizeBytes))
        sizeBytes += bytes.length
      },
      close: () => file.close(),
    }
  }

  /** Removes one part. */
  async remove(target: Digest, part: PartIdentity): Promise<void> {
    await rm(this.path(target, part), { force: true })
  }

  /** Removes all parts that were collected for a digest. */
  async removeAll(target: Digest): Promise<void> {
    for (const path of await this.#all(target)) await rm(path, { force: true })
  }

  async #all(target: Digest): Promise<string[]> {
    const folder = ingestDirectory(this.#directory)
    const names = await readdir(folder).catch(() => [])
    return names.filter((name) => name.startsWith(partPrefix(target))).map((name) => foundPath(folder, name))
  }
}

async function openOrCreate(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    return open(path, 'wx+', 0o600)
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  )
}
