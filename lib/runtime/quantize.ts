import { randomBytes } from 'node:crypto'
import { open, rename, rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { LlameroError } from '../errors.js'
import { checkImatrix, metadataOverrides, readGguf, summarizeModel, type GgufFile } from '../gguf/index.js'
import { nativeAddon } from '../native.js'
import { locate } from '../transfer/index.js'
import { Store } from '../store/index.js'
import { judgedFile, type JudgeOptions } from './judged-file.js'
import { defaultModelsDirectory } from './models-directory.js'
import { quantizationType } from './quantization-type.js'

/** What {@link quantize} makes of a model, and how. */
export interface QuantizeOptions extends JudgeOptions {
  /**
   * The type to convert to, in any case: one of {@link quantizationTypes}, such as `q4_K_M`, `q8_0` or `f16`. A type mixes
   * several: some tensors get more bits, small ones stay as they are. The smallest, `IQ1_S` to `IQ3_XS` and `Q2_K_S`,
   * need an `imatrix`. `copy` changes no tensor and joins the parts of a split model.
   */
  readonly type: string
  /** Convert weights that are quantized already, which costs quality; otherwise that is an error. @default false */
  readonly allowRequantize?: boolean | undefined
  /** The path of an importance matrix, a GGUF file that llama-imatrix has made of the same model. @default none */
  readonly imatrix?: string | undefined
  /** Threads to compute with, 1 to 512. @default `os.availableParallelism()` */
  readonly threads?: number | undefined
  /** Told how far it is, 0 to 1, some hundred times. @default none */
  readonly onProgress?: ((fraction: number) => void) | undefined
  /** The folder of the store. @default `~/.llamero/models` if it exists, else `~/.ollama/models` */
  readonly modelsDirectory?: string | undefined
}

/** What {@link quantize} has made. */
export interface QuantizeResult {
  /** The new file. */
  readonly path: string
  /** Its type as its header names it, such as `Q4_K_M`. */
  readonly quantization: string
  /** Size of the new file. */
  readonly sizeBytes: number
  /** Size of the file it was made of, or of all its parts. */
  readonly sourceBytes: number
}

/**
 * Converts the weights of a model to another type, as llama-quantize does: the files are the same. It computes on threads
 * of its own and holds some 16 MiB of weights at a time. The new file appears when it is whole, in place of one that was
 * there; a failure, an abort, a full disk leave nothing.
 *
 * @param source a name of the store, or the path of a GGUF file; of a split one the first part
 * @param target the path of the file to make; not the source itself
 *
 * Errors: `ERR_OPTION_INVALID` for a type that does not exist, that needs an importance matrix, or if the model is
 * quantized already; `ERR_MODEL_NOT_FOUND`, `ERR_MODEL_INVALID`, `ERR_MODEL_REJECTED` and `ERR_UNSUPPORTED` of the source
 * or the importance matrix; `ERR_DISK_FULL`, `ERR_STORE`; the reason of `options.signal`.
 */
export async function quantize(source: string, target: string, options: QuantizeOptions): Promise<QuantizeResult> {
  const { signal } = options
  signal?.throwIfAborted()
  const { fileType } = quantizationType(options.type)
  const threads = threadCount(options.threads)
  const store = new Store({ directory: options.modelsDirectory ?? defaultModelsDirectory() })
  const { path } = await locate(store, source)
  const file = await judgedFile(path, options)
  await checkTarget(target, path, file)
  const imatrix = options.imatrix ?? ''
  if (imatrix !== '') await judgeImatrix(imatrix, signal)
  const temporary = await createTemporary(target)
  try {
    const addon = nativeAddon()
    const task = {
      source: path,
      target: temporary,
      fileType: fileType ?? 0,
      copy: fileType === undefined,
      allowRequantize: options.allowRequantize ?? false,
      imatrix,
      imatrixName: basename(imatrix),
      threads,
      metadataOverrides: metadataOverrides(file),
    }
    await cancellable(options, (cancelFlag, report) => addon.quantize({ ...task, cancelFlag }, report))
    const made = await readGguf(temporary, { signal })
    await onTarget(target, () => publish(temporary, target))
    return {
      path: target,
      quantization: summarizeModel(made).quantization,
      sizeBytes: made.sizeBytes,
      sourceBytes: file.sizeBytes,
    }
  } finally {
    await rm(temporary, { force: true })
  }
}

type Work = (
  cancelFlag: ReturnType<ReturnType<typeof nativeAddon>['createCancelFlag']>,
  report: (fraction: number) => void,
) => Promise<void>

/** Runs native work that a signal, or a progress function that throws, ends. */
async function cancellable({ signal, onProgress }: QuantizeOptions, work: Work): Promise<void> {
  signal?.throwIfAborted()
  const addon = nativeAddon()
  const cancelFlag = addon.createCancelFlag()
  const failures: unknown[] = []
  const cancel = (): void => addon.cancel(cancelFlag)
  const report = (fraction: number): void => {
    if (failures.length > 0 || signal?.aborted === true) return
    try {
      onProgress?.(fraction)
    } catch (error) {
      failures.push(error)
      cancel()
    }
  }
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    await work(cancelFlag, report)
  } catch (error) {
    signal?.throwIfAborted()
    if (failures.length === 0) throw error
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
  signal?.throwIfAborted()
  if (failures.length > 0) throw failures[0]
}

function threadCount(given: number | undefined): number {
  const threads = given ?? availableParallelism()
  if (Number.isInteger(threads) && threads >= 1 && threads <= 512) return threads
  throw new LlameroError('ERR_OPTION_INVALID', `Expected threads to be a whole number from 1 to 512, got ${threads}.`, {
    details: { option: 'threads', expected: '1 to 512' },
  })
}

async function checkTarget(target: string, path: string, file: GgufFile): Promise<void> {
  if (typeof target !== 'string' || target === '' || target.includes('\0')) {
    throw new LlameroError('ERR_OPTION_INVALID', 'Expected the target to be the path of a file, without zero bytes.')
  }
  const there = await stat(target).catch(() => undefined)
  if (there === undefined) return
  if (!there.isFile()) {
    throw new LlameroError('ERR_OPTION_INVALID', `The target ${target} is not a file; name the file to make.`)
  }
  for (const { location } of file.parts ?? [{ location: path }]) {
    const source = await stat(location)
    if (source.dev === there.dev && source.ino === there.ino) {
      throw new LlameroError('ERR_OPTION_INVALID', `The target ${target} is the source; name another file.`)
    }
  }
}

async function judgeImatrix(path: string, signal: AbortSignal | undefined): Promise<void> {
  try {
    checkImatrix(await readGguf(path, { signal }))
  } catch (error) {
    if (!(error instanceof LlameroError)) throw error
    const hint = error.message.includes("does not begin with 'GGUF'")
      ? ' A matrix of the older format becomes GGUF with llama-imatrix.'
      : ''
    throw new LlameroError(error.code, `The importance matrix ${path} cannot be used. ${error.message}${hint}`, {
      cause: error,
      details: error.details,
    })
  }
}

/** An empty file beside the target: a rename within a folder replaces a file at once. */
function createTemporary(target: string): Promise<string> {
  const name = `.${basename(target)}.${process.pid}-${randomBytes(4).toString('hex')}.part`
  const temporary = join(dirname(target), name)
  return onTarget(target, async () => {
    await (await open(temporary, 'wx')).close()
    return temporary
  })
}

async function publish(temporary: string, target: string): Promise<void> {
  const file = await open(temporary, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, target)
  if (process.platform === 'win32') return
  const folder = await open(dirname(target))
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function onTarget<Value>(target: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
    throw new LlameroError(
      isFull ? 'ERR_DISK_FULL' : 'ERR_STORE',
      `The quantized model ${target} could not be written (${code}); check that its folder exists, is yours and has room.`,
      { cause },
    )
  }
}
