import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve, basename } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LlameroError } from '../errors.js'
import { readGguf, validateModel } from '../gguf/index.js'
import type { ElementType } from './element.js'
import { planConversion, type ConversionPlan } from './plan.js'
import { tensorBytes } from './planned-tensor.js'
import { SourceDirectory } from './source-directory.js'
import { openWeights } from './weight-files.js'

/** What {@link convert} is asked for. */
export interface ConvertOptions {
  /**
   * The type of the matrices; norms, biases and tables are always F32. `auto` keeps BF16 and F16 as they are and makes
   * F16 of F32. F16 holds numbers up to 65,504; a model with larger ones is refused.
   * @default 'auto'
   */
  readonly type?: 'auto' | 'f32' | 'f16' | 'bf16' | undefined
  /** Called as the file grows, some times a second at the most. @default none */
  readonly onProgress?: ((progress: ConvertProgress) => void) | undefined
  /** Stops the conversion; the promise rejects with the signal's reason, and no file stays behind. @default none */
  readonly signal?: AbortSignal | undefined
}

/** How far a conversion has come. */
export interface ConvertProgress {
  /** Bytes of the new file that are written. */
  readonly completedBytes: number
  /** Bytes of the whole new file. */
  readonly totalBytes: number
}

/** What came of a conversion. */
export interface Conversion {
  /** llama.cpp's name of the architecture, such as `llama`. */
  readonly architecture: string
  /** The type of the matrices. */
  readonly type: 'f32' | 'f16' | 'bf16'
  /** Tensors of the new file. */
  readonly tensors: number
  /** Size of the new file. */
  readonly sizeBytes: number
  /** Tensors of the source that a language model does not need: towers for images, copies of the embedding. */
  readonly skipped: readonly string[]
}

const types: Readonly<Record<string, ElementType | undefined>> = {
  __proto__: null as never,
  auto: undefined,
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
}

/**
 * Converts a model in Hugging Face's layout (`config.json`, `*.safetensors`, a tokenizer) to a GGUF file. It reads and
 * writes a few MB at a time, however large the model is.
 *
 * Nothing of the folder is run: pickles are refused, and names, lengths and offsets in its files are held against them
 * first. What llama.cpp would compute otherwise than transformers is refused too, rather than converted to a model that
 * answers wrongly.
 *
 * @param directory the folder with the model
 * @param output the path of the new file, which appears when it is complete, or a stream that is written and ended
 * @throws LlameroError `ERR_MODEL_NOT_FOUND` if there is no such folder; `ERR_MODEL_INVALID` if a file in it is missing,
 * damaged or hostile; `ERR_UNSUPPORTED` for an architecture, tokenizer or type of weights that is not converted;
 * `ERR_STORE` if a file can't be read or written, `ERR_DISK_FULL` if the disk has no room
 */
export async function convert(
  directory: string,
  output: string | Writable,
  options: ConvertOptions = {},
): Promise<Conversion> {
  const { signal, onProgress } = options
  const name = options.type ?? 'auto'
  if (!(name in types)) {
    throw new LlameroError('ERR_OPTION_INVALID', `The type is '${name}'; auto, f32, f16 or bf16 was expected.`)
  }
  signal?.throwIfAborted()
  const source = await SourceDirectory.open(directory)
  const weights = await openWeights(source)
  try {
    signal?.throwIfAborted()
    const plan = await planConversion(source, weights, types[name])
    const bytes = fileBytes(plan, signal, onProgress)
    if (typeof output === 'string') await writeFile(output, bytes, plan.layout.sizeBytes)
    else await writeStream(output, bytes, signal)
    return {
      architecture: plan.architecture,
      type: plan.type.toLowerCase() as Conversion['type'],
      tensors: plan.tensors.length,
      sizeBytes: plan.layout.sizeBytes,
      skipped: plan.skipped,
    }
  } finally {
    await weights.close()
  }
}

const millisecondsBetweenReports = 100

async function* fileBytes(
  { layout, tensors }: ConversionPlan,
  signal: AbortSignal | undefined,
  onProgress: ConvertOptions['onProgress'],
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
async function writeFile(path: string, bytes: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<void> {
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
    validateModel(await readGguf(partial))
    await rename(partial, target)
  } catch (error) {
    await rm(partial, { force: true })
    throw writeFailure(error, path, sizeBytes)
  }
}

async function writeAll(handle: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<void> {
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
