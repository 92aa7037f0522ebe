import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { chmod, copyFile, open, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import { makeDirectory } from '../make-directory.js'
import { Claims } from './claims.js'
import { digestHex, parseDigest, type Digest } from './digest.js'
import { diskFailure, onDisk, syncDirectory, systemCode, writeFully, type DiskWork } from './disk.js'
import {
  blobPath,
  blobsDirectory,
  ingestDirectory,
  lockPath,
  nearBlobPath,
  oldBlobPath,
  temporaryPath,
} from './layout.js'
import { acquireLock, type HeldLock, type LockOptions } from './lock.js'
import { newToken } from './process-identity.js'
import { sweepTemporaries } from './sweep.js'

/** A blob by digest and size. */
export interface BlobDescriptor {
  readonly digest: Digest
  readonly sizeBytes: number
}

/** How bytes become a blob. */
export interface IngestOptions {
  /** What the bytes must hash to; else `ERR_DIGEST`. Left out: they are what they are. */
  readonly digest?: Digest | undefined
  /** How many bytes must come; reading stops one byte after them. Else `ERR_DIGEST`. */
  readonly sizeBytes?: number | undefined
  /** Rejects with its reason; nothing stays behind. */
  readonly signal?: AbortSignal | undefined
  /** Bytes written so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined
  /** A last look at the finished temporary file; what it throws keeps the bytes out of the store. */
  readonly check?: ((path: string) => Promise<void>) | undefined
}

/**
 * Who maps a blob into memory ends when it is cut short, so that nobody shall write to it by mistake. Windows would not
 * let read-only files be replaced or removed.
 */
const finishedMode = process.platform === 'win32' ? 0o644 : 0o444

/**
 * The store's content-addressed files. A file named `sha256-<hex>` is verified and durable from the moment that it has
 * this name: bytes are hashed while they are written, compared, flushed, and only then renamed.
 */
export class Blobs {
  readonly #directory: string
  readonly #claims: Claims

  constructor(directory: string) {
    this.#directory = directory
    this.#claims = new Claims(directory)
  }

  /** Where a blob is, or would be. */
  path(digest: Digest): string {
    return blobPath(this.#directory, digest)
  }

  /** The size of a blob in bytes; undefined if it is not there. One with a name of old gets that of today. */
  async sizeBytes(digest: Digest): Promise<number | undefined> {
    const found = await this.#stat(digest)
    if (found !== undefined) return found.isFile() ? found.size : undefined
    return (await this.#renameOld(digest)) ? this.sizeBytes(digest) : undefined
  }

  /** Whether a blob is there. Another program may have put it there unverified: see {@link Blobs.verify}. */
  async has(digest: Digest): Promise<boolean> {
    return (await this.sizeBytes(digest)) !== undefined
  }

  /** Hashes a blob: whether it is there and holds what its name says. */
  async verify(digest: Digest, options: Pick<IngestOptions, 'signal' | 'onProgress'> = {}): Promise<boolean> {
    if (!(await this.has(digest))) return false
    return onDisk(this.#work('verify a blob'), async () => {
      const file = await open(this.path(digest), 'r')
      try {
        return (await hashFile(file, options)) === digest
      } finally {
        await file.close()
      }
    })
  }

  /**
   * As {@link Blobs.verify}, for a blob that a manifest is about to name: what is there stays until that manifest is
   * written, {@link Blobs.release} is called, or this process ends.
   */
  async claim(digest: Digest, options: Pick<IngestOptions, 'signal' | 'onProgress'> = {}): Promise<boolean> {
    if (!(await this.has(digest))) return false
    await this.#claims.add(digest)
    let isGood = false
    try {
      await this.#touch(digest)
      return (isGood = await this.verify(digest, options))
    } finally {
      if (!isGood) await this.#claims.release([digest])
    }
  }

  /**
   * As {@link Blobs.claim}, but without reading it: for a blob that a manifest of the store names already.
   *
   * @returns whether it is there in full size
   */
  async hold(digest: Digest, sizeBytes: number): Promise<boolean> {
    await this.#claims.add(digest)
    if ((await this.sizeBytes(digest)) === sizeBytes) {
      await this.#touch(digest)
      return true
    }
    await this.#claims.release([digest])
    return false
  }

  /**
   * Gives up blobs that were ingested or claimed for a manifest that will not come; all of them if none are named.
   * Claims belong to the store object that made them: another one of the same folder keeps its own.
   */
  release(digests?: Iterable<Digest>): Promise<void> {
    return this.#claims.release(digests)
  }

  /**
   * Streams bytes into the store, where they are claimed as by {@link Blobs.claim}. Errors: `ERR_DIGEST`, `ERR_DISK_FULL`, `ERR_STORE`, and what
   * the source throws.
   */
  async ingest(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: IngestOptions = {},
  ): Promise<BlobDescriptor> {
    const work = this.#work('write a blob', options.sizeBytes)
    const temporary = temporaryPath(this.#directory, await newToken())
    await onDisk(work, async () => {
      await makeDirectory(blobsDirectory(this.#directory))
      await makeDirectory(ingestDirectory(this.#directory))
      await sweepTemporaries(this.#directory)
    })
    try {
      const blob = await this.#receive(source, temporary, work, options)
      await options.check?.(temporary)
      options.signal?.throwIfAborted()
      await this.#claims.add(blob.digest)
      try {
        await onDisk(work, () => this.#commit(temporary, blob.digest))
      } catch (error) {
        await this.#claims.release([blob.digest])
        throw error
      }
      return blob
    } finally {
      await rm(temporary, { force: true }).catch(() => {})
    }
  }

  /** Makes a folder for files that need no longer life than this process. Whoever asked for it removes it. */
  async scratch(): Promise<string> {
    const path = temporaryPath(this.#directory, await newToken())
    return onDisk(this.#work('make a temporary folder'), async () => {
      await sweepTemporaries(this.#directory)
      await makeDirectory(path, 0o700)
      return path
    })
  }

  /** Takes the lock on the making of one blob, across processes. */
  lock(digest: Digest, options: LockOptions = {}): Promise<HeldLock> {
    return onDisk(this.#work('lock a blob'), () =>
      acquireLock(lockPath(this.#directory, `sha256-${digestHex(digest)}`), options),
    )
  }

  /** As {@link Blobs.lock}, but does not wait: undefined if another process holds it. */
  async tryLock(digest: Digest): Promise<HeldLock | undefined> {
    const taken = new AbortController()
    try {
      return await this.lock(digest, { signal: taken.signal, onWait: () => taken.abort() })
    } catch (error) {
      if (taken.signal.aborted) return undefined
      throw error
    }
  }

  // Ollama, which knows no claims, clears what nobody has touched for an hour when it starts.
  async #touch(digest: Digest): Promise<void> {
    const now = new Date()
    await utimes(this.path(digest), now, now).catch(() => {})
  }

  async #stat(digest: Digest): Promise<Stats | undefined> {
    try {
      return await stat(this.path(digest))
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined
      throw await diskFailure(this.#work('look for a blob'), error)
    }
  }

  // Where the store cannot be written, the blob is as good as missing.
  async #renameOld(digest: Digest): Promise<boolean> {
    const old = oldBlobPath(this.#directory, digest)
    if (old === undefined) return false
    return rename(old, this.path(digest)).then(
      () => true,
      () => false,
    )
  }

  async #receive(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    temporary: string,
    work: DiskWork,
    { digest, sizeBytes: expected, signal, onProgress }: IngestOptions,
  ): Promise<BlobDescriptor> {
    const file = await onDisk(work, () => open(temporary, 'wx', 0o600))
    try {
      const hash = createHash('sha256')
      let size = 0
      for await (const chunk of source) {
        signal?.throwIfAborted()
        if (expected !== undefined && size + chunk.length > expected) throw wrongSize(digest, expected, 'more')
        hash.update(chunk)
        await onDisk(work, () => writeFully(file, chunk, size))
        size += chunk.length
        onProgress?.(size)
      }
      if (expected !== undefined && size !== expected) throw wrongSize(digest, expected, `${size}`)
      const actual = parseDigest(`sha256:${hash.digest('hex')}`)
      if (digest !== undefined && actual !== digest) {
        throw new LlameroError(
          'ERR_DIGEST',
          `Expected bytes with the digest ${digest}, but they have ${actual}; they were discarded.`,
          {
            details: { expected: digest, actual },
          },
        )
      }
      // A failed flush may have lost pages that later flushes would call clean: the bytes are dropped, never retried.
      await onDisk(work, async () => {
        await file.chmod(finishedMode)
        await file.sync()
      })
      return { digest: actual, sizeBytes: size }
    } finally {
      await file.close()
    }
  }

  async #commit(temporary: string, digest: Digest): Promise<void> {
    const final = this.path(digest)
    try {
      await rename(temporary, final)
    } catch (error) {
      const code = systemCode(error)
      if (code === 'EXDEV') return this.#commitAcross(temporary, digest)
      // Windows refuses to replace a file that is open; then the same bytes are there already.
      if (process.platform !== 'win32' || !(await this.verify(digest))) throw error
    }
    await syncDirectory(blobsDirectory(this.#directory))
  }

  // `blobs` may be a link to another disk.
  async #commitAcross(temporary: string, digest: Digest): Promise<void> {
    const final = this.path(digest)
    const near = nearBlobPath(this.#directory, digest, await newToken())
    try {
      await copyFile(temporary, near)
      await chmod(near, 0o600)
      const file = await open(near, 'r+')
      try {
        if ((await hashFile(file)) !== digest) throw new LlameroError('ERR_DIGEST')
        await file.chmod(finishedMode)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(near, final)
      await syncDirectory(blobsDirectory(this.#directory))
    } finally {
      await rm(near, { force: true })
    }
  }

  #work(doing: string, neededBytes?: number): DiskWork {
    return { doing, directory: this.#directory, ...(neededBytes === undefined ? {} : { neededBytes }) }
  }
}

async function hashFile(
  file: FileHandle,
  { signal, onProgress }: Pick<IngestOptions, 'signal' | 'onProgress'> = {},
): Promise<Digest> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(1024 * 1024)
  for (let position = 0; ;) {
    signal?.throwIfAborted()
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) return parseDigest(`sha256:${hash.digest('hex')}`)
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
    onProgress?.(position)
  }
}

function wrongSize(digest: Digest | undefined, expected: number, found: string): LlameroError {
  const name = digest === undefined ? 'the blob' : digest
  return new LlameroError(
    'ERR_DIGEST',
    `Expected ${expected} bytes for ${name}, but ${found} came; they were discarded.`,
    {
      details: { expected: digest, expectedBytes: expected },
    },
  )
}
