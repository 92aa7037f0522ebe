import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import { invalidModel, quoted } from './fault.js'

/** Where the bytes of a header come from; it is read forward, without leaving bytes out. */
export interface ByteSource {
  /** Size of the whole file. */
  readonly sizeBytes: number
  /** Puts up to `length` bytes from `position` on into `target`; how many it was, 0 if the file has become shorter. */
  read(target: Uint8Array, offset: number, length: number, position: number): Promise<number>
  close(): Promise<void>
}

/** A file of this machine. Errors: those of `readGguf`. */
export async function openFile(path: string): Promise<ByteSource> {
  const handle = await openHandle(path)
  try {
    const status = await handle.stat()
    if (status.isDirectory()) throw invalidModel(`${quoted(path)} is a folder; name the .gguf file inside it.`)
    if (!status.isFile()) throw invalidModel(`${quoted(path)} is not a regular file but a pipe, socket or device.`)
    if (status.size === 0)
      throw invalidModel(`${quoted(path)} is empty; the download may have failed, so fetch it again.`)
    return {
      sizeBytes: status.size,
      read: async (target, offset, length, position) => (await handle.read(target, offset, length, position)).bytesRead,
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

// Opening a pipe would otherwise wait for a writer. Windows has neither the flag nor such pipes.
const nonBlocking = (constants as { readonly O_NONBLOCK?: number }).O_NONBLOCK ?? 0

async function openHandle(path: string): Promise<FileHandle> {
  if (typeof path !== 'string' || path.includes('\0')) {
    throw new LlameroError('ERR_OPTION_INVALID', 'The path of a model must be a string without zero bytes.')
  }
  try {
    return await open(path, constants.O_RDONLY | nonBlocking)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG' || code === 'ELOOP') {
      throw new LlameroError('ERR_MODEL_NOT_FOUND', `There is no file ${quoted(path)}; check the path.`, { cause })
    }
    if (code === 'ENXIO' || code === 'EOPNOTSUPP') {
      throw invalidModel(`${quoted(path)} is not a regular file but a pipe, socket or device.`, {}, cause)
    }
    throw new LlameroError(
      'ERR_STORE',
      `The file ${quoted(path)} could not be opened (${code}); check its permissions.`,
      { cause },
    )
  }
}
