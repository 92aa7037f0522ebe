import type { Writable } from 'node:stream'
import { LlameroError } from '../errors.js'
import { validateModel } from '../gguf/index.js'
import type { ElementType } from './element.js'
import { writeOutput, type ConvertProgress } from './output.js'
import { planConversion } from './plan.js'
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
    await writeOutput(plan, { output, signal, onProgress, judge: validateModel })
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
