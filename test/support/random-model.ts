import { writeFile } from 'node:fs/promises'
import { array, f32, text, u32, writeGguf, type WriterTensor, type WriterValue } from './gguf-writer.js'
import {
  type BertSize,
  bertFamily,
  contextLength,
  families,
  feedForward,
  heads,
  keyHeads,
  type RandomArchitecture,
  type Shapes,
  width,
} from './random-families.js'
import { seededRandom, type Random } from './seeded-random.js'
import type { Vocabulary } from './tiny-vocabulary.js'

export {
  type BertSize,
  gridArchitectures,
  headArchitectures,
  miniLmSize,
  type RandomArchitecture,
  randomArchitectures,
  statefulArchitectures,
} from './random-families.js'

export interface RandomModelOptions {
  readonly seed?: number
  readonly layers?: number
  /** Of a `bert` model. */
  readonly size?: BertSize
  /** Labels of a classifier behind the model, of `bert` and `qwen3`, which makes it a reranker. */
  readonly classifier?: readonly string[]
  /** Keys to add, replace, or leave out where `undefined`. */
  readonly metadata?: Readonly<Record<string, WriterValue | undefined>>
  /** Instead of the architecture's own. */
  readonly vocabulary?: Vocabulary
  /** Changes each tensor before it is written, or leaves it out. */
  readonly change?: (tensor: WriterTensor) => WriterTensor | undefined
  /** Beside the architecture's own. */
  readonly added?: readonly WriterTensor[]
}

/** A model of random F32 weights, the same for the same seed, below 2 MB: for mechanics, its words mean nothing. */
export function randomModel(architecture: RandomArchitecture, options: RandomModelOptions = {}): Uint8Array {
  const family = options.size === undefined ? families[architecture] : bertFamily(options.size)
  const { classifier } = options
  const size = family.size ?? { width, heads, feedForward }
  const vocabulary = options.vocabulary ?? family.vocabulary()
  const layers = options.layers ?? 2
  const random = seededRandom(options.seed ?? 1)
  const change = options.change ?? ((tensor: WriterTensor) => tensor)
  const own: Record<string, WriterValue> = {
    context_length: u32(contextLength),
    embedding_length: u32(size.width),
    block_count: u32(family.head === undefined ? layers : layers + 1),
    ...(family.head !== undefined && { nextn_predict_layers: u32(1) }),
    feed_forward_length: u32(size.feedForward),
    'attention.head_count': u32(size.heads),
    'attention.head_count_kv': u32(keyHeads),
    'attention.layer_norm_rms_epsilon': f32(1e-6),
    ...family.metadata,
    ...(classifier && { pooling_type: u32(4), 'classifier.output_labels': array('string', classifier) }),
  }
  for (const [key, turns] of Object.entries(family.perLayer ?? {})) {
    const values = Array.from({ length: layers }, (_, layer) => turns[layer % turns.length] ?? 0)
    own[key] = array('int32', values)
  }
  const prefixed = Object.entries(own).map(([key, value]) => [`${family.architecture}.${key}`, value] as const)
  const words = vocabulary.tokens.length
  const outer = family.outer ?? { 'output_norm.weight': [width], 'output.weight': [width, null] }
  const turns = Array.isArray(family.layer) ? (family.layer as readonly Shapes[]) : [family.layer as Shapes]
  const shapes: [string, readonly number[]][] = [
    ['token_embd.weight', [size.width, words]],
    ...Object.entries(outer).map(([name, shape]): [string, number[]] => [name, shape.map((given) => given ?? words)]),
    ...Object.entries(classifier === undefined ? {} : classifierShapes(architecture, size.width, classifier.length)),
    ...Array.from({ length: layers }, (_, layer) =>
      Object.entries(turns[layer % turns.length] ?? {}).map(([name, shape]): [string, readonly number[]] => [
        `blk.${layer}.${name}`,
        shape,
      ]),
    ).flat(),
    ...Object.entries(family.head ?? {}).map(([name, shape]): [string, readonly number[]] => [
      `blk.${layers}.${name}`,
      shape,
    ]),
  ]
  return writeGguf({
    metadata: {
      'general.architecture': text(family.architecture),
      'general.type': text('model'),
      'general.name': text(`Random ${architecture}`),
      'general.file_type': u32(0),
      ...Object.fromEntries(prefixed),
      ...vocabulary.metadata,
      ...options.metadata,
    },
    tensors: [
      ...shapes.flatMap(([name, dimensions]) => change(randomTensor(name, dimensions, random)) ?? []),
      ...(options.added ?? []),
    ],
  })
}

/** The reranker's head: BERT has a dense layer before the scores, Qwen3 the scores alone. */
function classifierShapes(architecture: RandomArchitecture, width: number, labels: number): Shapes {
  if (architecture !== 'bert') return { 'cls.output.weight': [width, labels] }
  return {
    'cls.weight': [width, width],
    'cls.bias': [width],
    'cls.output.weight': [width, labels],
    'cls.output.bias': [labels],
  }
}

/** Writes a random model to `path` and returns `path`. */
export async function writeRandomModel(
  path: string,
  architecture: RandomArchitecture,
  options: RandomModelOptions = {},
): Promise<string> {
  await writeFile(path, randomModel(architecture, options))
  return path
}

function randomTensor(name: string, dimensions: readonly number[], random: Random): WriterTensor {
  const data = new Float32Array(dimensions.reduce((product, dimension) => product * dimension, 1))
  // A state that grows (a positive ssm_a) would run away.
  const around = name.endsWith('norm.weight') ? 1 : name.endsWith('ssm_a') ? -1 : 0
  const spread = dimensions.length === 1 ? 0.1 : 1.5 / Math.sqrt(dimensions[0] ?? 1)
  for (let index = 0; index < data.length; index++)
    data[index] = around + spread * (random() + random() + random() - 1.5)
  return { name, dimensions, data }
}
