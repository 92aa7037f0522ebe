import { extract, type Extract, type Header } from 'tar-stream'
import { LlameroError } from '../errors.js'
import { invalid } from './image-layout.js'

/** One regular file of a tar archive, whose bytes come once. */
export interface ArchiveEntry {
  /** Its path inside, without `./` before it. Never to be made a path of this machine. */
  readonly name: string
  readonly sizeBytes: number
  readonly bytes: AsyncIterable<Uint8Array>
}

// Between two files lie headers only; what is longer wants to fill the memory or to keep us reading for ever.
const mostHeaderBytes = 4 * 2 ** 20
const mostEntries = 10_000

/**
 * The files of a tar archive as they come; what is not read of one is passed over. Nothing is unpacked: links, devices,
 * sparse files, names that lead elsewhere and files that come twice are refused.
 * Errors: `ERR_ARCHIVE_INVALID`, and those of the source.
 */
export async function* archiveEntries(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const archive = extract()
  archive.on('error', () => {}) // which is told to its reader
  // Also ends the wait for a source that is silent.
  const stop = (): void => archive.destroy(asError(signal.reason))
  signal.addEventListener('abort', stop, { once: true })
  const source = { failure: undefined as { readonly error: unknown } | undefined }
  void feed(archive, bytes).catch((error: unknown) => {
    source.failure = { error }
    archive.destroy(asError(error))
  })
  const failureOf = (error: unknown): unknown => {
    if (signal.aborted) return signal.reason
    return source.failure === undefined ? readError(error) : source.failure.error
  }
  const names = new Set<string>()
  try {
    for await (const entry of archive) {
      const { header } = entry
      const name = checkHeader(header)
      if (names.has(name)) throw invalid(`the file ${shown(name)} comes twice`)
      if (names.add(name).size > mostEntries) throw invalid(`it has more than ${mostEntries} files`)
      const content = readBytes(entry, failureOf)
      if (header.type === 'file') yield { name, sizeBytes: header.size, bytes: content }
      // What nobody has read of it.
      for await (const _ of content) continue
    }
  } catch (error) {
    throw failureOf(error)
  } finally {
    signal.removeEventListener('abort', stop)
    archive.destroy(null)
  }
}

async function feed(archive: Extract, source: AsyncIterable<Uint8Array>): Promise<void> {
  let taken = 0
  let explained = 0
  archive.on('entry', ({ size }, { offset }) => {
    explained = offset + 512 * (1 + Math.ceil(size / 512))
  })
  for await (const chunk of source) {
    if (taken === 0) checkKind(chunk)
    if (taken - explained > mostHeaderBytes) throw invalid(`more than ${mostHeaderBytes} bytes of it belong to no file`)
    taken += chunk.length
    if (!archive.write(chunk)) await drained(archive)
    if (archive.destroying) return
  }
  archive.end(null)
}

function drained(archive: Extract): Promise<void> {
  return new Promise((resolve) => {
    if (archive.destroying) return resolve()
    const done = (): void => {
      archive.off('drain', done)
      archive.off('close', done)
      resolve()
    }
    archive.on('drain', done)
    archive.on('close', done)
  })
}

async function* readBytes(
  entry: AsyncIterable<unknown>,
  failureOf: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of entry) yield chunk as Uint8Array
  } catch (error) {
    throw failureOf(error)
  }
}

function checkHeader({ name: path, size, pax, ...header }: Header): string {
  const type = header.type as string | null
  const isSparse = Object.keys(pax ?? {}).some((key) => key.startsWith('GNU.sparse.'))
  const kind = isSparse ? 'sparse file' : (type ?? 'file of an unknown kind')
  if (isSparse || (type !== 'file' && type !== 'directory'))
    throw invalid(`it has a ${kind.replace('-', ' ')}, ${shown(path)}`)
  if (!Number.isSafeInteger(size) || size < 0 || (type === 'directory' && size !== 0))
    throw invalid(`the size of ${shown(path)} makes no sense`)
  const name = path.replace(/^(\.\/)+/, '').replace(/\/$/, '')
  const isInside = !/[\\\0]/.test(name) && name.split('/').every((part) => !['', '.', '..'].includes(part))
  if (!isInside && !['', '.'].includes(name)) throw invalid(`the name ${shown(path)} leads out of it`)
  return name
}

const kinds: readonly (readonly [magic: string, hint: string])[] = [
  ['1f8b', 'it is compressed: unpack it first, as in: gunzip -c FILE | llamero load'],
  ['28b52ffd', 'it is compressed: unpack it first, as in: zstd -dc FILE | llamero load'],
  ['fd377a585a', 'it is compressed: unpack it first, as in: xz -dc FILE | llamero load'],
  ['425a68', 'it is compressed: unpack it first, as in: bzip2 -dc FILE | llamero load'],
  ['504b0304', 'it is a zip file'],
  ['47475546', 'it is a GGUF file, which needs no loading: llamero pull ./FILE.gguf'],
]

function checkKind(chunk: Uint8Array): void {
  const start = Buffer.from(chunk.subarray(0, 8)).toString('hex')
  const [, hint] = kinds.find(([magic]) => start.startsWith(magic)) ?? []
  if (hint !== undefined) throw invalid(hint)
}

function readError(error: unknown): unknown {
  if (error instanceof LlameroError) return error
  const isCutOff = error instanceof Error && error.message === 'Unexpected end of data'
  return invalid(
    isCutOff ? 'it was cut off: it ends in the middle of a file' : 'it is no tar file, or is damaged',
    error,
  )
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}
