import { randomUUID } from 'node:crypto'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LlameroError } from '../errors.js'
import type { GgufLayout } from '../gguf/header-writer.js'
import { readGguf, type GgufFile } from '../gguf/index.js'
import { tensorBytes, type PlannedTensor } from './planned-tensor.js'

/** How far a conversion has come. */
export interface ConvertProgress {
  /** Bytes of the new file that are written. */
  readonly completedBytes: number
  /** Bytes of the whole new file. */
  readonly totalBytes: number
}

/** A new file, laid out and not yet written. */
export interface OutputPlan {
  readonly tensors: readonly PlannedTensor[]
  readonly layout: GgufLayout
}

/** Where the file goes and who hears of it. */
export interface OutputOptions {
  readonly output: string | Writable
  /** Throws for a header that a load would refuse; the file then does not appear. */
  readonly judge: (file: GgufFile) => void
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: ConvertProgress) => void) | undefined
}

/** Writes the planned file. */
export async function writeOutput(plan: OutputPlan, options: OutputOptions): Promise<void> {
  const { output, signal } = options
  const bytes = fileBytes(plan, options)
  if (typeof output === 'string') await writeFile(output, bytes, plan.layout.sizeBytes, options.judge)
  else await writeStream(output, bytes, signal)
}

const millisecondsBetweenReports = 100

async function* fileBytes(
  { layout, tensors }: OutputPlan,
  { signal, onProgress }: OutputOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const totalBytes = layout.sizeBytes
  let completedBytes = 0
  let reported = 0
  const passed = (bytes: Uint8Array) => {
    completedBytes += bytes.length
    const now = performance.now()
    if (onProgress === undefined || (completedBytes < totalBytes && now - reported < millisecondsBetweenReports)) return
    reported = now
    onProgress({ completedBytes, totalBytes })
  }
  yield layout.header
  passed(layout.header)
  for (const [index, tensor] of tensors.entries()) {
    for await (const bytes of tensorBytes(tensor)) {
      signal?.throwIfAborted()
      yield bytes
      passed(bytes)
    }
    const padding = Buffer.alloc((layout.places[index + 1]?.offset ?? totalBytes) - completedBytes)
    if (padding.length === 0) continue
    yield padding
    passed(padding)
  }
}

/** A stream that takes nothing any more must not outlive its signal. */
async function writeStream(
  output: Writable,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await pipeline(Readable.from(bytes, { objectMode: false, highWaterMark: 1 }), output, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/** Writes beside the path under another name, reads the header back as a load would, and gives it its name. */
async function writeFile(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  judge: OutputOptions['judge'],
): Promise<void> {
  const target = resolve(path)
  const partial = join(dirname(target), `.${basename(target)}.${randomUUID()}.partial`)
  try {
    const handle = await open(partial, 'wx')
    try {
      for await (const chunk of bytes) await writeAll(handle, chunk)
      await handle.sync()
    } finally {
      await handle.close()
    }
    judge(await readGguf(partial))
    await rename(partial, target)
  } catch (error) {
    await rm(partial, { force: true })
    throw writeFailure(error, path, sizeBytes)
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten
  }
}

function writeFailure(error: unknown, path: string, sizeBytes: number): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  if (error instanceof LlameroError || code === undefined || !/^E[A-Z]+$/.test(code)) return error
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new LlameroError('ERR_DISK_FULL', `The disk has no room for '${path}' of ${sizeBytes} bytes; free some.`, {
      cause: error,
    })
  }
  return new LlameroError('ERR_STORE', `'${path}' could not be written (${code}); check the folder.`, { cause: error })
}
