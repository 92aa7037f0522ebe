import { fileURLToPath } from 'node:url'
import { openFile, type ByteSource } from './byte-source.js'
import { invalidModel, quoted } from './fault.js'
import { HeaderWindow } from './header-window.js'
import { limits } from './limits.js'
import { guessFormat } from './magic.js'
import { readMetadata } from './metadata.js'
import { openRemote } from './remote-source.js'
import { placeTensors, readTensorClaims, type GgufTensor } from './tensor.js'
import type { GgufValue } from './value.js'

/** What stands in a GGUF file before its weights. */
export interface GgufFile {
  /** Format version, 2 or 3. */
  readonly version: number
  /** Byte order of the file; big-endian files can be read here but only be run on big-endian machines. */
  readonly littleEndian: boolean
  /** Tensor data begins at multiples of this many bytes, 8 to 1,048,576. */
  readonly alignment: number
  /** Keys in the order of the file. */
  readonly metadata: ReadonlyMap<string, GgufValue>
  /** Tensors in the order of the file, which is that of their data. */
  readonly tensors: readonly GgufTensor[]
  /** First byte of the tensor data. */
  readonly dataOffset: number
  /** Size of the whole file; of a split model, of all its files. */
  readonly sizeBytes: number
  /** The files of a split model that {@link readGgufModel} read, the first of which is this one; otherwise absent. */
  readonly parts?: readonly GgufPart[]
}

/** One of the files that a model is split into. */
export interface GgufPart {
  /** Its path, or its address. */
  readonly location: string | URL
  readonly sizeBytes: number
  /** First byte of its tensor data. */
  readonly dataOffset: number
  /** The tensors that lie in it; their offsets count from its beginning. */
  readonly tensors: readonly GgufTensor[]
}

/** How {@link readGguf} reads. */
export interface ReadGgufOptions {
  /** Stops the reading; the promise rejects with the signal's reason. @default none */
  readonly signal?: AbortSignal | undefined
  /** Asks the server of an address, for instance by way of a proxy; redirects are followed by us. @default `globalThis.fetch` */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Sent to the server, such as `authorization`, but not to another that it redirects to. @default none */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How long the server may be silent, in ms. @default 30000 */
  readonly idleMs?: number | undefined
}

/**
 * Reads the header of a GGUF file: metadata and tensor list, never the weights. Everything it returns is checked
 * for form: lengths and counts against the file and against fixed limits (metadata 256 MiB, 8,192 keys, 16,384
 * tensors, strings 16 MiB, arrays 64 Mi elements), types, shapes, and tensor places inside the file without gaps.
 * Whether it makes sense as a model is {@link validateModel}'s question.
 *
 * Of an `http:` or `https:` address only as many bytes are fetched as the header has, by ranges; a server that knows no
 * ranges is hung up on after them. A text is always a path, also one that looks like an address.
 *
 * @param source the path of a regular file (a pipe, a device or a folder is refused without being read), or an address
 * @throws LlameroError `ERR_MODEL_NOT_FOUND` if there is no such file, `ERR_MODEL_INVALID` if it is no valid GGUF of
 * version 2 or 3 (the message names the key, tensor or byte), `ERR_STORE` if it may not be read; of an address also
 * `ERR_REGISTRY` if the server refuses, answers badly or cannot be reached, and `ERR_TIMEOUT` if it falls silent
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md for the format
 */
export async function readGguf(source: string | URL, options: ReadGgufOptions = {}): Promise<GgufFile> {
  options.signal?.throwIfAborted()
  const bytes = await open(source, options)
  try {
    return await readHeader(bytes, options.signal)
  } finally {
    await bytes.close()
  }
}

function open(source: string | URL, options: ReadGgufOptions): Promise<ByteSource> {
  if (!(source instanceof URL)) return openFile(source)
  return source.protocol === 'file:' ? openFile(fileURLToPath(source)) : openRemote(source, options)
}

/** Reads the header at the beginning of some bytes; see {@link readGguf}. */
export async function readHeader(source: ByteSource, signal?: AbortSignal): Promise<GgufFile> {
  const fileSize = source.sizeBytes
  const window = new HeaderWindow(source, signal)
  await checkMagic(window)
  const version = await readVersion(window)
  await window.fill(16)
  const tensorCount = window.count()
  const keyCount = window.count()
  checkCount('tensors', tensorCount, limits.tensors, 33, window.remaining)
  checkCount('metadata keys', keyCount, limits.keys, 14, window.remaining)
  const metadata = await readMetadata(window, keyCount)
  const alignment = readAlignment(metadata)
  const claims = await readTensorClaims(window, tensorCount)
  const dataOffset = tensorCount === 0 ? window.position : Math.ceil(window.position / alignment) * alignment
  const tensors = placeTensors(claims, dataOffset, alignment, fileSize)
  return { version, littleEndian: window.littleEndian, alignment, metadata, tensors, dataOffset, sizeBytes: fileSize }
}

async function checkMagic(window: HeaderWindow): Promise<void> {
  const size = Math.min(window.remaining, 64)
  await window.fill(size)
  const start = window.bytes(Math.min(size, 4))
  if (start.toString('latin1') === 'GGUF') return
  const rest = window.bytes(size - start.length)
  throw invalidModel(`it does not begin with 'GGUF'${guessFormat(Buffer.concat([start, rest]))}.`)
}

async function readVersion(window: HeaderWindow): Promise<number> {
  await window.fill(4)
  let version = window.u32()
  // A version is small: if only its upper half is set, the file is of the other byte order.
  if (version !== 0 && (version & 0xffff) === 0) {
    window.littleEndian = false
    version = ((version >>> 24) | ((version >>> 8) & 0xff00)) >>> 0
  }
  if (version === 1)
    throw invalidModel('it is of GGUF version 1, which llama.cpp no longer reads; convert the model again.')
  if (version !== 2 && version !== 3) {
    throw invalidModel(`it claims GGUF version ${version}; 2 and 3 are known.`, { version })
  }
  return version
}

function checkCount(what: string, count: number, limit: number, leastBytes: number, remaining: number): void {
  if (count > limit)
    throw invalidModel(`it claims ${count} ${what}; ${limit} are the most that is read.`, { count, limit })
  if (count * leastBytes > remaining) {
    throw invalidModel(`it claims ${count} ${what}, but only ${remaining} bytes follow.`, { count, remaining })
  }
}

function readAlignment(metadata: ReadonlyMap<string, GgufValue>): number {
  const key = 'general.alignment'
  const found = metadata.get(key)
  if (found === undefined) return limits.alignment.default
  const { least, most } = limits.alignment
  if (found.type !== 'uint32' || found.value < least || found.value > most || (found.value & (found.value - 1)) !== 0) {
    const shown = found.type === 'array' ? 'an array' : `${quoted(String(found.value))} of type ${found.type}`
    throw invalidModel(`${quoted(key)} is ${shown}; a uint32 was expected, a power of two from ${least} to ${most}.`, {
      key,
    })
  }
  return found.value
}
