import { constants } from 'node:fs'
import { open, readdir, realpath, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { LlameroError } from '../errors.js'
import { invalidSource, quoted } from './fault.js'
import { Fields, parseJson } from './json.js'
import { limits } from './limits.js'

/** A file of the folder, open for reading. */
export interface SourceFile {
  readonly name: string
  readonly handle: FileHandle
  readonly sizeBytes: number
}

/** The folder with a model. Files are opened in it by plain names only, and a link may lead no further than its model. */
export class SourceDirectory {
  readonly path: string
  /** Names of what lies directly in it. */
  readonly names: ReadonlySet<string>
  readonly #real: string

  private constructor(path: string, real: string, names: readonly string[]) {
    this.path = path
    this.#real = real
    this.names = new Set(names)
  }

  /** @throws LlameroError `ERR_MODEL_NOT_FOUND` if there is no such folder, `ERR_STORE` if it may not be read */
  static async open(path: string): Promise<SourceDirectory> {
    if (typeof path !== 'string' || path === '' || path.includes('\0')) {
      throw new LlameroError('ERR_OPTION_INVALID', 'The folder of a model must be a path without zero bytes.')
    }
    try {
      if (!(await stat(path)).isDirectory()) {
        throw invalidSource(`${quoted(path)} is a file; name the folder that holds it and its config.json.`)
      }
      return new SourceDirectory(path, await realpath(path), await readdir(path))
    } catch (cause) {
      throw systemFailure(cause, path)
    }
  }

  /** The last part of its name, for a model that has none of its own. */
  get title(): string {
    return basename(this.#real)
  }

  /** A JSON document; `undefined` if there is none. */
  async json(name: string): Promise<Fields | undefined> {
    const bytes = await this.read(name, limits.jsonBytes)
    return bytes === undefined ? undefined : new Fields(parseJson(bytes, quoted(name)), quoted(name))
  }

  /** A whole small file; `undefined` if there is none. */
  async read(name: string, mostBytes: number): Promise<Buffer | undefined> {
    const file = await this.open(name)
    if (file === undefined) return undefined
    try {
      if (file.sizeBytes > mostBytes) {
        throw invalidSource(`${quoted(name)} has ${file.sizeBytes} bytes; ${mostBytes} are the most that is read.`)
      }
      return await readExactly(file, 0, file.sizeBytes)
    } finally {
      await file.handle.close()
    }
  }

  /** Opens a file by its name, or by that of a folder in between; `undefined` if there is none. */
  async open(name: string): Promise<SourceFile | undefined> {
    if (!/^\w[\w.-]*(\/\w[\w.-]*)?$/.test(name) || name.includes('..')) {
      throw invalidSource(`the file name ${quoted(name)} is not a plain name inside the folder.`, { name })
    }
    const path = join(this.path, name)
    let handle: FileHandle | undefined
    try {
      const real = await realpath(path)
      if (!this.#holds(real)) {
        throw invalidSource(`${quoted(name)} is a link that leads out of the folder; put the file itself there.`)
      }
      handle = await open(real, constants.O_RDONLY | nonBlocking)
      const status = await handle.stat()
      if (!status.isFile()) throw invalidSource(`${quoted(name)} is not a regular file.`)
      const file = { name, handle, sizeBytes: status.size }
      await refusePointer(file)
      return file
    } catch (cause) {
      await handle?.close()
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw systemFailure(cause, name)
    }
  }

  /** Hugging Face's cache keeps `snapshots/<revision>` full of links to `blobs` beside it. */
  #holds(real: string): boolean {
    const snapshots = dirname(this.#real)
    const homes = [this.#real, ...(basename(snapshots) === 'snapshots' ? [join(dirname(snapshots), 'blobs')] : [])]
    return homes.some((home) => real.startsWith(home + sep))
  }
}

// Opening a pipe would otherwise wait for a writer. Windows has neither the flag nor such pipes.
const nonBlocking = (constants as { readonly O_NONBLOCK?: number }).O_NONBLOCK ?? 0

/** Reads `length` bytes at `offset`, or throws if the file is shorter. */
export async function readExactly(file: SourceFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  await readInto(file, offset, bytes)
  return bytes
}

/** Fills `target` from `offset` on, or throws if the file is shorter. */
export async function readInto(file: SourceFile, offset: number, target: Uint8Array): Promise<void> {
  for (let done = 0; done < target.length;) {
    let bytesRead: number
    try {
      ;({ bytesRead } = await file.handle.read(target, done, target.length - done, offset + done))
    } catch (cause) {
      throw systemFailure(cause, file.name)
    }
    if (bytesRead === 0) throw invalidSource(`${quoted(file.name)} became shorter while it was being read.`)
    done += bytesRead
  }
}

/** A clone without `git lfs` has small texts where the weights belong. */
async function refusePointer(file: SourceFile): Promise<void> {
  const start = await readExactly(file, 0, Math.min(file.sizeBytes, 64))
  if (start.toString('latin1').startsWith('version https://git-lfs')) {
    throw invalidSource(
      `${quoted(file.name)} is a Git LFS pointer, not the file itself; fetch it with \`git lfs pull\`.`,
      { name: file.name },
    )
  }
}

function systemFailure(cause: unknown, name: string): unknown {
  if (cause instanceof LlameroError) return cause
  const code = (cause as NodeJS.ErrnoException).code
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new LlameroError('ERR_MODEL_NOT_FOUND', `There is no folder ${quoted(name)}; check the path.`, { cause })
  }
  return new LlameroError('ERR_STORE', `${quoted(name)} could not be read (${code}); check its permissions.`, { cause })
}
