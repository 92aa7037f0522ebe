import { randomBytes } from 'node:crypto'
import { open, realpath, rename, rm, stat, statfs, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LlameroError } from '../errors.js'
import { formatBytes } from '../store/index.js'

/** Takes the bytes of an archive in their order; settles when it can take more. */
export type ArchiveSink = (bytes: Uint8Array) => Promise<void>

/**
 * Writes a file that is there whole or, as before, not at all: under another name beside it, flushed, then renamed.
 * What is no regular file (a device, a named pipe) is written to. Errors: `ERR_DISK_FULL`, `ERR_STORE`.
 */
export async function archiveOutput(
  path: string,
  neededBytes: number,
  work: (sink: ArchiveSink) => Promise<void>,
): Promise<void> {
  const onDisk = <Value>(operation: () => Promise<Value>): Promise<Value> =>
    operation().catch((error: unknown) => {
      throw outputFailure(path, neededBytes, error)
    })
  const found = await stat(path).catch(() => undefined)
  if (found !== undefined && !found.isFile()) {
    const file = await onDisk(() => open(path, 'w'))
    return work((bytes) => onDisk(() => writeAll(file, bytes))).finally(() => file.close())
  }
  // A link stays one: what it leads to is replaced.
  const final = found === undefined ? path : await onDisk(() => realpath(path))
  const folder = dirname(final)
  const temporary = join(folder, `.${basename(final).slice(0, 100)}.${randomBytes(6).toString('hex')}.tmp`)
  await requireSpace(path, folder, neededBytes)
  const file = await onDisk(() => open(temporary, 'wx', 0o666))
  try {
    try {
      await work((bytes) => onDisk(() => writeAll(file, bytes)))
      await onDisk(() => file.sync())
    } finally {
      await file.close()
    }
    await onDisk(() => rename(temporary, final))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, null)
    done += bytesWritten
  }
}

async function requireSpace(path: string, folder: string, neededBytes: number): Promise<void> {
  const found = await statfs(folder).catch(() => undefined)
  const freeBytes = found === undefined ? Infinity : found.bavail * found.bsize
  if (freeBytes < neededBytes) throw diskFull(path, neededBytes, freeBytes)
}

function outputFailure(path: string, neededBytes: number, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || error instanceof LlameroError) return error
  const code = String(error.code)
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)) return diskFull(path, neededBytes, undefined, error)
  const reasons: Readonly<Record<string, string>> = {
    EACCES: 'permission was denied',
    EISDIR: 'it is a folder; give the name of a file',
    ENOENT: 'its folder does not exist',
    EROFS: 'the file system is read-only',
  }
  return new LlameroError('ERR_STORE', `Could not write ${JSON.stringify(path)}: ${reasons[code] ?? code}.`, {
    cause: error,
  })
}

function diskFull(path: string, neededBytes: number, freeBytes?: number, cause?: unknown): LlameroError {
  const free = freeBytes === undefined ? '' : `, ${formatBytes(freeBytes)} are free`
  return new LlameroError(
    'ERR_DISK_FULL',
    `Could not write ${JSON.stringify(path)}: the disk is full: ${formatBytes(neededBytes)} are needed${free}. ` +
      'Free some space, or choose another folder.',
    { cause, details: { neededBytes, freeBytes } },
  )
}
