import { f32, text, writeGguf, type WriterFile, type WriterTensor, type WriterValue } from './gguf-writer.js'
import { seededRandom } from './seeded-random.js'

/** The two matrices over one tensor of a model. */
interface Pair {
  readonly name: string
  /** The tensor's dimensions: inputs, then outputs. */
  readonly inputs: number
  readonly outputs: number
  /** `rank` rows of inputs; for the embedding, a row of `rank` for each token. */
  readonly a: Float32Array
  /** A row of `rank` for each output; for the embedding, for each number of the state. */
  readonly b: Float32Array
}

export interface TinyLora {
  readonly rank: number
  readonly alpha: number
  readonly pairs: readonly Pair[]
}

export interface TinyLoraOptions {
  readonly rank?: number
  readonly alpha?: number
  readonly seed?: number
  /** Spread of the numbers. */
  readonly strength?: number
}

const isEmbedding = (name: string) => name === 'token_embd.weight'

/** A LoRA of random numbers over tensors by name and dimensions; the same for the same seed. */
export function tinyLora(
  shapes: Readonly<Record<string, readonly [inputs: number, outputs: number]>>,
  { rank = 4, alpha = 8, seed = 1, strength = 0.25 }: TinyLoraOptions = {},
): TinyLora {
  const random = seededRandom(seed)
  const numbers = (count: number) => Float32Array.from({ length: count }, () => strength * (2 * random() - 1))
  const pairs = Object.entries(shapes).map(([name, [inputs, outputs]]) => ({
    name,
    inputs,
    outputs,
    a: numbers(rank * (isEmbedding(name) ? outputs : inputs)),
    b: numbers(rank * (isEmbedding(name) ? inputs : outputs)),
  }))
  return { rank, alpha, pairs }
}

/** The adapter as a file; `metadata` and `tensors` replace what a test wants to be wrong. */
export function loraFile(
  { rank, alpha, pairs }: TinyLora,
  metadata: Readonly<Record<string, WriterValue | undefined>> = {},
  change: (tensors: WriterTensor[]) => WriterTensor[] = (tensors) => tensors,
  file: Partial<WriterFile> = {},
): Uint8Array {
  const tensors = pairs.flatMap(({ name, inputs, outputs, a, b }) => {
    const embedding = isEmbedding(name)
    return [
      { name: `${name}.lora_a`, dimensions: embedding ? [rank, outputs] : [inputs, rank], data: a },
      { name: `${name}.lora_b`, dimensions: [rank, embedding ? inputs : outputs], data: b },
    ]
  })
  return writeGguf({
    metadata: {
      'general.type': text('adapter'),
      'general.architecture': text('llama'),
      'general.name': text('Tiny adapter'),
      'adapter.type': text('lora'),
      'adapter.lora.alpha': f32(alpha),
      ...metadata,
    },
    tensors: change(tensors),
    ...file,
  })
}

/** Adds scale x alpha / rank x B x A to the tensors of a model: what the adapter does to its answers. */
export function mergedWith(lora: TinyLora, scale: number): (tensor: WriterTensor) => WriterTensor {
  return (tensor) => {
    const pair = lora.pairs.find(({ name }) => name === tensor.name)
    if (pair === undefined || !(tensor.data instanceof Float32Array)) return tensor
    const data = Float32Array.from(tensor.data)
    const factor = (scale * lora.alpha) / lora.rank
    for (let output = 0; output < pair.outputs; output++) {
      for (let input = 0; input < pair.inputs; input++) {
        const at = output * pair.inputs + input
        data[at] = (data[at] ?? 0) + factor * product(pair, lora.rank, input, output)
      }
    }
    return { ...tensor, data }
  }
}

function product({ name, inputs, a, b }: Pair, rank: number, input: number, output: number): number {
  let sum = 0
  for (let index = 0; index < rank; index++) {
    const down = isEmbedding(name) ? a[output * rank + index] : a[index * inputs + input]
    const up = isEmbedding(name) ? b[input * rank + index] : b[output * rank + index]
    sum += (down ?? 0) * (up ?? 0)
  }
  return sum
}
