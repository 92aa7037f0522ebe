import type { Writable } from 'node:stream'
import { layoutGguf } from '../gguf/header-writer.js'
import { adapterBase, checkLora, readGguf, type GgufFile } from '../gguf/index.js'
import type { GgufValue } from '../gguf/value.js'
import { families } from './families/index.js'
import type { Family, TensorRule } from './families/family.js'
import { invalidSource, quoted, unsupportedSource } from './fault.js'
import type { Fields } from './json.js'
import { f32, text } from './metadata.js'
import { writeOutput, type ConvertProgress } from './output.js'
import { planTensor, type PlannedTensor } from './planned-tensor.js'
import type { SourceTensor } from './safetensors.js'
import { SourceDirectory } from './source-directory.js'
import { bareName, targetOf } from './tensor-names.js'
import { openFiles } from './weight-files.js'

/** What {@link convertAdapter} is asked for. */
export interface ConvertAdapterOptions {
  /** Called as the file grows, some times a second at the most. @default none */
  readonly onProgress?: ((progress: ConvertProgress) => void) | undefined
  /** Stops the conversion; the promise rejects with the signal's reason, and no file stays behind. @default none */
  readonly signal?: AbortSignal | undefined
}

/** What came of an adapter's conversion. */
export interface AdapterConversion {
  /** llama.cpp's name of the base model's architecture, such as `llama`. */
  readonly architecture: string
  /** Pairs of matrices. */
  readonly pairs: number
  /** Size of the new file. */
  readonly sizeBytes: number
}

/**
 * Converts a LoRA adapter in PEFT's layout (`adapter_config.json`, `adapter_model.safetensors`) to a GGUF file of F32 for
 * `model.adapter`. The base model says what the parts of the adapter belong to, and the result is held against it.
 *
 * @param directory the folder with the adapter
 * @param base the path of the base model, a GGUF file of an architecture that {@link convert} makes
 * @param output the path of the new file, which appears when it is complete, or a stream that is written and ended
 * @throws LlameroError as {@link convert} does; `ERR_MODEL_REJECTED` if the adapter does not fit the base model;
 * `ERR_UNSUPPORTED` for adapters that do more than LoRA (DoRA, trained biases or modules)
 */
export async function convertAdapter(
  directory: string,
  base: string,
  output: string | Writable,
  options: ConvertAdapterOptions = {},
): Promise<AdapterConversion> {
  const { signal, onProgress } = options
  signal?.throwIfAborted()
  const baseFile = await readGguf(base)
  const source = await SourceDirectory.open(directory)
  const config = await source.json('adapter_config.json')
  if (config === undefined) throw invalidSource("the folder has no 'adapter_config.json'; fetch the whole adapter.")
  const weights = await openFiles(source, ['adapter_model.safetensors'])
  try {
    const target = adapterBase(baseFile)
    const family = families.find(({ name }) => name === target.architecture)
    if (family === undefined) {
      throw unsupportedSource(`adapters for the architecture ${quoted(target.architecture)} are not converted.`)
    }
    const halves = [...weights.tensors.values()].map((tensor) => placeHalf(tensor, family, target.layers))
    const tensors = halves.map((half) => planHalf(half, family, baseFile))
    const metadata = new Map<string, GgufValue>([
      ['general.architecture', text(target.architecture)],
      ['general.type', text('adapter')],
      ['general.name', text(source.title)],
      ['adapter.type', text('lora')],
      ['adapter.lora.alpha', f32(alphaOf(config, halves))],
    ])
    const layout = layoutGguf(metadata, tensors)
    await writeOutput(
      { layout, tensors },
      { output, signal, onProgress, judge: (file) => void checkLora(file, target) },
    )
    return { architecture: target.architecture, pairs: tensors.length / 2, sizeBytes: layout.sizeBytes }
  } finally {
    await weights.close()
  }
}

interface Half {
  readonly tensor: SourceTensor
  /** Such as `blk.0.attn_q.weight.lora_a`. */
  readonly name: string
  readonly rule: TensorRule
}

function placeHalf(tensor: SourceTensor, family: Family, layers: number): Half {
  const [, module = '', half = ''] =
    /^base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight$/.exec(tensor.name) ?? []
  const target = targetOf(family, `${bareName(module)}.weight`, layers)
  if (target === undefined) {
    throw unsupportedSource(
      `the tensor ${quoted(tensor.name)} is no half of a LoRA pair for a weight of ${family.name} models.`,
      { tensor: tensor.name },
    )
  }
  return { tensor, name: `${target.name}.lora_${half.toLowerCase()}`, rule: target.rule }
}

/** The half that makes the rows of the weight follows their order. */
function planHalf({ tensor, name, rule }: Half, family: Family, base: GgufFile): PlannedTensor {
  const headRows = rule.pairs === true && name.endsWith('.lora_b') ? headWidthOf(base, family.name) : 0
  return planTensor(tensor, { name, type: 'F32', headRows })
}

function headWidthOf({ metadata }: GgufFile, architecture: string): number {
  const read = (key: string) => {
    const found = metadata.get(`${architecture}.${key}`)
    return found?.type === 'uint32' ? found.value : undefined
  }
  const width = read('attention.key_length') ?? (read('embedding_length') ?? 0) / (read('attention.head_count') ?? 1)
  if (!Number.isInteger(width) || width < 2) throw invalidSource('the base model does not say how wide its heads are.')
  return width
}

/** llama.cpp divides it by the rank; PEFT may divide by the root of the rank instead. */
function alphaOf(config: Fields, halves: readonly Half[]): number {
  config.onlyAllow('peft_type', ['LORA', undefined])
  config.onlyAllow('use_dora', [false, undefined])
  config.onlyAllow('fan_in_fan_out', [false, undefined])
  config.onlyAllow('bias', ['none', undefined])
  if ((config.array('modules_to_save') ?? []).length > 0) config.onlyAllow('modules_to_save', [undefined])
  for (const key of ['alpha_pattern', 'rank_pattern']) {
    if ((config.object(key)?.keys() ?? []).length > 0) config.onlyAllow(key, [undefined])
  }
  const alpha = config.required('lora_alpha', config.number('lora_alpha'))
  const rank = config.required('r', config.integer('r', 1))
  const other = halves.find(({ tensor, name }) => tensor.shape[name.endsWith('.lora_a') ? 0 : 1] !== rank)
  if (other !== undefined) {
    throw invalidSource(`the tensor ${quoted(other.tensor.name)} is not of the rank ${rank} that 'r' names.`)
  }
  return config.boolean('use_rslora') === true ? alpha * Math.sqrt(rank) : alpha
}
