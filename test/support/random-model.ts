import { writeFile } from 'node:fs/promises'
import { array, bool, f32, text, u32, writeGguf, type WriterTensor, type WriterValue } from './gguf-writer.js'
import { seededRandom, type Random } from './seeded-random.js'
import { bpeVocabulary, spmVocabulary, wpmVocabulary, type Vocabulary } from './tiny-vocabulary.js'

export const randomArchitectures = ['llama', 'mistral', 'gemma3', 'phi3', 'qwen2', 'qwen3', 'exaone', 'bert'] as const
/** Models with a state that can't be cut: recurrent, and hybrid with attention in every second layer. */
export const statefulArchitectures = ['mamba', 'lfm2'] as const
/** Models whose positions have several dimensions, for images. */
export const gridArchitectures = ['qwen2vl'] as const
export type RandomArchitecture =
  (typeof randomArchitectures)[number] | (typeof statefulArchitectures)[number] | (typeof gridArchitectures)[number]

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
  /** Changes each tensor before it is written. */
  readonly change?: (tensor: WriterTensor) => WriterTensor
}

export interface BertSize {
  readonly width: number
  readonly heads: number
  readonly feedForward: number
}

/** all-MiniLM-L6-v2 has six layers of this. */
export const miniLmSize: BertSize = { width: 384, heads: 12, feedForward: 1536 }

const width = 64
const heads = 4
const keyHeads = 2
const headWidth = width / heads
const keyWidth = keyHeads * headWidth
const feedForward = 96
const innerWidth = 2 * width
const convolution = 4
const stateSize = 8
const timeRank = 4
const contextLength = 2048
/** BERT has a learnt vector for each position. */
const bertContextLength = 512

/** A shape by tensor name; one dimension means a norm or a bias. */
type Shapes = Readonly<Record<string, readonly number[]>>

interface Family {
  /** `general.architecture` */
  readonly architecture: string
  readonly vocabulary: () => Vocabulary
  readonly metadata: Readonly<Record<string, WriterValue>>
  /** Metadata with a number for each layer, in turn. */
  readonly perLayer?: Readonly<Record<string, readonly number[]>>
  /** Tensors of one layer, named without their prefix; of the layers in turn if there are several. */
  readonly layer: Shapes | readonly Shapes[]
  /** Beside the embedding; `null` stands for the size of the vocabulary. */
  readonly outer?: Readonly<Record<string, readonly (number | null)[]>>
  /** Where it is not that of all the others. */
  readonly size?: BertSize
}

const separate: Shapes = {
  'attn_q.weight': [width, width],
  'attn_k.weight': [width, keyWidth],
  'attn_v.weight': [width, keyWidth],
}
const separateBiases: Shapes = { 'attn_q.bias': [width], 'attn_k.bias': [keyWidth], 'attn_v.bias': [keyWidth] }
const headNorms: Shapes = { 'attn_q_norm.weight': [headWidth], 'attn_k_norm.weight': [headWidth] }
const gated: Shapes = {
  'attn_norm.weight': [width],
  'attn_output.weight': [width, width],
  'ffn_norm.weight': [width],
  'ffn_gate.weight': [width, feedForward],
  'ffn_up.weight': [width, feedForward],
  'ffn_down.weight': [feedForward, width],
}
const gatedOnly: Shapes = {
  'attn_norm.weight': [width],
  'ffn_norm.weight': [width],
  'ffn_gate.weight': [width, feedForward],
  'ffn_up.weight': [width, feedForward],
  'ffn_down.weight': [feedForward, width],
}
const llamaLayer: Shapes = { ...gated, ...separate }
const rope = { 'rope.dimension_count': u32(headWidth), 'rope.freq_base': f32(10_000) }

const families: Readonly<Record<RandomArchitecture, Family>> = {
  llama: { architecture: 'llama', vocabulary: spmVocabulary, metadata: rope, layer: llamaLayer },
  mistral: {
    architecture: 'llama',
    vocabulary: spmVocabulary,
    metadata: { 'rope.dimension_count': u32(headWidth), 'rope.freq_base': f32(1_000_000) },
    layer: llamaLayer,
  },
  gemma3: {
    architecture: 'gemma3',
    vocabulary: spmVocabulary,
    metadata: {
      'rope.freq_base': f32(1_000_000),
      'attention.key_length': u32(headWidth),
      'attention.value_length': u32(headWidth),
      'attention.sliding_window': u32(32),
    },
    layer: {
      ...llamaLayer,
      ...headNorms,
      'post_attention_norm.weight': [width],
      'post_ffw_norm.weight': [width],
    },
  },
  phi3: {
    architecture: 'phi3',
    vocabulary: spmVocabulary,
    metadata: { ...rope, 'rope.scaling.original_context_length': u32(contextLength) },
    layer: {
      'attn_norm.weight': [width],
      'attn_qkv.weight': [width, width + 2 * keyWidth],
      'attn_output.weight': [width, width],
      'ffn_norm.weight': [width],
      'ffn_up.weight': [width, 2 * feedForward],
      'ffn_down.weight': [feedForward, width],
    },
  },
  qwen2: {
    architecture: 'qwen2',
    vocabulary: () => bpeVocabulary('qwen2'),
    metadata: { 'rope.freq_base': f32(1_000_000) },
    layer: { ...llamaLayer, ...separateBiases },
  },
  qwen2vl: {
    architecture: 'qwen2vl',
    vocabulary: () => bpeVocabulary('qwen2'),
    metadata: { 'rope.freq_base': f32(1_000_000), 'rope.dimension_sections': array('int32', [2, 3, 3, 0]) },
    layer: { ...llamaLayer, ...separateBiases },
  },
  qwen3: {
    architecture: 'qwen3',
    vocabulary: () => bpeVocabulary('qwen2'),
    metadata: {
      'rope.freq_base': f32(1_000_000),
      'attention.key_length': u32(headWidth),
      'attention.value_length': u32(headWidth),
    },
    layer: { ...llamaLayer, ...headNorms },
  },
  exaone: { architecture: 'exaone', vocabulary: () => bpeVocabulary('exaone'), metadata: rope, layer: llamaLayer },
  mamba: {
    architecture: 'mamba',
    vocabulary: spmVocabulary,
    metadata: {
      'ssm.conv_kernel': u32(convolution),
      'ssm.inner_size': u32(innerWidth),
      'ssm.state_size': u32(stateSize),
      'ssm.time_step_rank': u32(timeRank),
    },
    layer: {
      'attn_norm.weight': [width],
      'ssm_in.weight': [width, 2 * innerWidth],
      'ssm_conv1d.weight': [convolution, innerWidth],
      'ssm_conv1d.bias': [innerWidth],
      'ssm_x.weight': [innerWidth, timeRank + 2 * stateSize],
      'ssm_dt.weight': [timeRank, innerWidth],
      'ssm_dt.bias': [innerWidth],
      ssm_a: [stateSize, innerWidth],
      ssm_d: [innerWidth],
      'ssm_out.weight': [innerWidth, width],
    },
  },
  lfm2: {
    architecture: 'lfm2',
    vocabulary: spmVocabulary,
    metadata: {
      ...rope,
      'shortconv.l_cache': u32(convolution),
    },
    // The layers without key heads are the recurrent ones.
    perLayer: { 'attention.head_count_kv': [0, keyHeads] },
    layer: [
      {
        ...gatedOnly,
        'shortconv.conv.weight': [convolution, width],
        'shortconv.in_proj.weight': [width, 3 * width],
        'shortconv.out_proj.weight': [width, width],
      },
      { ...gatedOnly, ...separate, ...headNorms, 'attn_output.weight': [width, width] },
    ],
    outer: { 'token_embd_norm.weight': [width], 'output.weight': [width, null] },
  },
  bert: bertFamily({ width, heads, feedForward }),
}

function bertFamily({ width, heads, feedForward }: BertSize): Family {
  return {
    architecture: 'bert',
    size: { width, heads, feedForward },
    vocabulary: wpmVocabulary,
    metadata: {
      context_length: u32(bertContextLength),
      'attention.head_count_kv': u32(heads),
      'attention.layer_norm_epsilon': f32(1e-12),
      'attention.causal': bool(false),
      pooling_type: u32(1),
    },
    layer: {
      'attn_q.weight': [width, width],
      'attn_k.weight': [width, width],
      'attn_v.weight': [width, width],
      'attn_q.bias': [width],
      'attn_k.bias': [width],
      'attn_v.bias': [width],
      'attn_output.weight': [width, width],
      'attn_output.bias': [width],
      'attn_output_norm.weight': [width],
      'attn_output_norm.bias': [width],
      'ffn_up.weight': [width, feedForward],
      'ffn_up.bias': [feedForward],
      'ffn_down.weight': [feedForward, width],
      'ffn_down.bias': [width],
      'layer_output_norm.weight': [width],
      'layer_output_norm.bias': [width],
    },
    outer: {
      'token_types.weight': [width, 2],
      'position_embd.weight': [width, bertContextLength],
      'token_embd_norm.weight': [width],
      'token_embd_norm.bias': [width],
    },
  }
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
    block_count: u32(layers),
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
    tensors: shapes.map(([name, dimensions]) => change(randomTensor(name, dimensions, random))),
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
