import { randomUUID } from 'node:crypto'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidOption } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import { readSession, savedBytes, writeSession, type ByteSource, type SavedSession } from './session-file.js'

/** A saved session as one array of bytes. */
export async function sessionToBytes(saved: SavedSession): Promise<Uint8Array> {
  const bytes = new Uint8Array(savedBytes(saved))
  let at = 0
  for (const chunk of writeSession(saved)) {
    bytes.set(chunk, at)
    at += chunk.length
    await turn()
  }
  return bytes
}

/** Writes a saved session: the file has the old content or the new one, whatever happens meanwhile. */
export async function sessionToFile(saved: SavedSession, path: string): Promise<void> {
  const partial = `${path}.${randomUUID()}.partial`
  await onFile('write', path, async () => {
    try {
      const handle = await open(partial, 'wx', 0o600)
      try {
        for (const chunk of writeSession(saved)) await writeAll(handle, chunk)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(partial, path)
    } catch (error) {
      await rm(partial, { force: true })
      throw error
    }
    await syncFolder(dirname(path))
  })
}

/** Reads what {@link sessionToBytes} or {@link sessionToFile} has made. */
export async function readSaved(from: string | Uint8Array): Promise<SavedSession> {
  if (typeof from !== 'string') return readSession(bytesSource(from))
  return onFile('read', from, async () => {
    const handle = await open(from)
    try {
      return await readSession(await fileSource(handle))
    } finally {
      await handle.close()
    }
  })
}

/** The path behind what a caller gives as one. Throws `ERR_OPTION_INVALID`. */
export function pathOf(given: unknown, name: string): string {
  if (typeof given === 'string' && given !== '' && !given.includes('\0')) return given
  if (given instanceof URL && given.protocol === 'file:') return fileURLToPath(given)
  throw invalidOption(name, 'a path or a file URL', given)
}

async function fileSource(handle: FileHandle): Promise<ByteSource> {
  const { size } = await handle.stat()
  return {
    size,
    async read(target, position) {
      for (let at = 0; at < target.length;) {
        const { bytesRead } = await handle.read(target, at, target.length - at, position + at)
        if (bytesRead === 0) throw new LlameroError('ERR_STATE_MISMATCH', 'The session file shrank while it was read.')
        at += bytesRead
      }
    },
  }
}

function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    async read(target, position) {
      target.set(bytes.subarray(position, position + target.length))
      await turn()
    },
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten
}

/** Makes the new name last through a crash of the machine; not every file system can. */
async function syncFolder(path: string): Promise<void> {
  try {
    const handle = await open(path)
    await handle.sync().finally(() => handle.close())
  } catch {
    // The file itself is safe; at worst the old one is there again.
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function onFile<Value>(doing: 'read' | 'write', path: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code
    if (error instanceof LlameroError || typeof code !== 'string') throw error
    const full = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
    const reason = code === 'ENOENT' ? 'there is no such file or folder' : code
    throw new LlameroError(full ? 'ERR_DISK_FULL' : 'ERR_STORE', `Could not ${doing} the session ${path}: ${reason}.`, {
      cause: error,
      details: { systemCode: code },
    })
  }
}
