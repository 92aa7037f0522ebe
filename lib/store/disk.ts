import { constants } from 'node:fs'
import { open, rename, rm, statfs, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LlameroError } from '../errors.js'
import { makeDirectory } from '../make-directory.js'

/** What an operation on the disk was about, for the error that it may end in. */
export interface DiskWork {
  /** Completes "could not …", such as `write the manifest`. */
  readonly doing: string
  /** The store's directory as the caller passed it. */
  readonly directory: string
  /** Bytes that the whole operation needs; unknown if left out. */
  readonly neededBytes?: number
}

/** Runs an operation and turns what the operating system says into `ERR_DISK_FULL` or `ERR_STORE`. */
export async function onDisk<Value>(work: DiskWork, operation: () => Promise<Value>): Promise<Value> {
  try {
    return await operation()
  } catch (error) {
    throw await diskFailure(work, error)
  }
}

/** The error to throw for a failed disk operation; anything that is no error of the operating system stays as it is. */
export async function diskFailure(work: DiskWork, error: unknown): Promise<unknown> {
  const code = systemCode(error)
  if (code === undefined || error instanceof LlameroError) return error
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return diskFull(work, await freeBytes(work.directory), error)
  }
  const reason = reasons[code] ?? code
  return new LlameroError('ERR_STORE', `Could not ${work.doing} in the model store ${work.directory}: ${reason}.`, {
    cause: error,
    details: { systemCode: code },
  })
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission was denied; check who owns the folder, or choose another one',
  EPERM: 'permission was denied; check who owns the folder, or choose another one',
  EROFS: 'the file system is read-only; choose another folder',
  ENOENT: 'a file or folder vanished; is the disk still there?',
  ENOTDIR: 'a file stands where a folder belongs',
  EIO: 'the disk reported a failure (EIO); check the disk',
  EMFILE: 'too many files are open (EMFILE)',
}

/** Throws `ERR_DISK_FULL` if the store's disk has clearly less room than an operation is going to need. */
export async function requireSpace(work: DiskWork & { readonly neededBytes: number }): Promise<void> {
  const free = await freeBytes(work.directory)
  if (free !== undefined && free < work.neededBytes) throw diskFull(work, free)
}

function diskFull(work: DiskWork, free: number | undefined, cause?: unknown): LlameroError {
  const needed = work.neededBytes === undefined ? 'more room is needed' : `${formatBytes(work.neededBytes)} are needed`
  const found = free === undefined ? '' : `, ${formatBytes(free)} are free`
  return new LlameroError(
    'ERR_DISK_FULL',
    `Could not ${work.doing}: the disk (or the limit on it) of the model store ${work.directory} is full: ${needed}${found}. ` +
      'Free some space and try again; what has arrived is kept.',
    { cause, details: { neededBytes: work.neededBytes, freeBytes: free } },
  )
}

/** What is free on the disk of a folder; undefined where the system does not tell. */
export async function freeBytes(directory: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  } catch {
    return undefined
  }
}

/** A number of bytes for people, in decimal units: `98.4 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  let value = bytes
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** The code of an error of the operating system, such as `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return 'errno' in error || 'syscall' in error ? error.code : undefined
}

/** Writes all of it; a write may take less than it was given. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/**
 * Replaces a file by new bytes so that a reader, and whoever comes after a crash or a power cut, finds the old file or
 * the new one: temporary file, fsync, rename, fsync of the folder.
 */
export async function replaceFile(path: string, temporary: string, bytes: Uint8Array): Promise<void> {
  await makeDirectory(dirname(path))
  try {
    const file = await open(temporary, 'wx', 0o644)
    try {
      await writeFully(file, bytes, 0)
      await file.chmod(0o644)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncDirectory(dirname(path))
}

/** Makes a rename durable. Windows cannot open folders and needs no such call. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Flags that open a file for reading; a pipe that nobody writes to is opened at once (Windows has no such pipes). */
export const readWithoutWaiting = constants.O_RDONLY | ((constants as { readonly O_NONBLOCK?: number }).O_NONBLOCK ?? 0)
