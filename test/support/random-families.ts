import { array, bool, f32, u32, type WriterValue } from './gguf-writer.js'
import { bpeVocabulary, spmVocabulary, wpmVocabulary, type Vocabulary } from './tiny-vocabulary.js'

export const randomArchitectures = ['llama', 'mistral', 'gemma3', 'phi3', 'qwen2', 'qwen3', 'exaone', 'bert'] as const
/** Models with a state that can't be cut: recurrent, and hybrid with attention in every second layer. */
export const statefulArchitectures = ['mamba', 'lfm2'] as const
/** Models whose positions have several dimensions, for images. */
export const gridArchitectures = ['qwen2vl'] as const
/** Models with a trained head (MTP) behind their layers: a hybrid one, and one that keeps cells alone. */
export const headArchitectures = ['qwen35', 'glm4moe'] as const
export type RandomArchitecture =
  | (typeof randomArchitectures)[number]
  | (typeof statefulArchitectures)[number]
  | (typeof gridArchitectures)[number]
  | (typeof headArchitectures)[number]
  | 'eagle3'

export interface BertSize {
  readonly width: number
  readonly heads: number
  readonly feedForward: number
}

/** all-MiniLM-L6-v2 has six layers of this. */
export const miniLmSize: BertSize = { width: 384, heads: 12, feedForward: 1536 }

/** Numbers of an inner state. */
export const width = 64
export const heads = 4
export const keyHeads = 2
const headWidth = width / heads
const keyWidth = keyHeads * headWidth
export const feedForward = 96
const innerWidth = 2 * width
const convolution = 4
const stateSize = 8
const timeRank = 4
const experts = 4
const deltaState = 16
const deltaGroups = 2
const deltaWidth = timeRank * deltaState
const deltaConvolved = 2 * deltaGroups * deltaState + deltaWidth
export const contextLength = 2048
/** BERT has a learnt vector for each position. */
const bertContextLength = 512

/** A shape by tensor name; one dimension means a norm or a bias. */
export type Shapes = Readonly<Record<string, readonly number[]>>

export interface Family {
  /** `general.architecture` */
  readonly architecture: string
  readonly vocabulary: () => Vocabulary
  readonly metadata: Readonly<Record<string, WriterValue>>
  /** Metadata with a number for each layer, in turn. */
  readonly perLayer?: Readonly<Record<string, readonly number[]>>
  /** Tensors of one layer, named without their prefix; of the layers in turn if there are several. */
  readonly layer: Shapes | readonly Shapes[]
  /** Tensors of the trained head, which is a layer behind all others. */
  readonly head?: Shapes
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
const threeMatrices: Shapes = {
  'ffn_gate.weight': [width, feedForward],
  'ffn_up.weight': [width, feedForward],
  'ffn_down.weight': [feedForward, width],
}
const gated: Shapes = {
  'attn_norm.weight': [width],
  'attn_output.weight': [width, width],
  'ffn_norm.weight': [width],
  ...threeMatrices,
}
const gatedOnly: Shapes = {
  'attn_norm.weight': [width],
  'ffn_norm.weight': [width],
  ...threeMatrices,
}
const llamaLayer: Shapes = { ...gated, ...separate }
const postNormed: Shapes = {
  'attn_norm.weight': [width],
  'post_attention_norm.weight': [width],
  ...threeMatrices,
}
const expertLayer: Shapes = {
  'attn_norm.weight': [width],
  'post_attention_norm.weight': [width],
  ...separate,
  ...headNorms,
  'attn_output.weight': [width, width],
  'ffn_gate_inp.weight': [width, experts],
  'exp_probs_b.bias': [experts],
  'ffn_gate_exps.weight': [width, feedForward, experts],
  'ffn_up_exps.weight': [width, feedForward, experts],
  'ffn_down_exps.weight': [feedForward, width, experts],
}
/** Its queries come with a gate for each. */
const gatedQueries: Shapes = {
  ...postNormed,
  ...separate,
  ...headNorms,
  'attn_q.weight': [width, 2 * width],
  'attn_output.weight': [width, width],
}
const trainedHead: Shapes = {
  'nextn.eh_proj.weight': [2 * width, width],
  'nextn.enorm.weight': [width],
  'nextn.hnorm.weight': [width],
  'nextn.shared_head_norm.weight': [width],
}
const rope = { 'rope.dimension_count': u32(headWidth), 'rope.freq_base': f32(10_000) }

export const families: Readonly<Record<RandomArchitecture, Family>> = {
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
  qwen35: {
    architecture: 'qwen35',
    vocabulary: () => bpeVocabulary('qwen2'),
    metadata: {
      ...rope,
      'rope.dimension_sections': array('int32', [2, 3, 3, 0]),
      'attention.key_length': u32(headWidth),
      'attention.value_length': u32(headWidth),
      'ssm.conv_kernel': u32(convolution),
      'ssm.inner_size': u32(deltaWidth),
      'ssm.state_size': u32(deltaState),
      'ssm.time_step_rank': u32(timeRank),
      'ssm.group_count': u32(deltaGroups),
      full_attention_interval: u32(2),
    },
    layer: [
      {
        ...postNormed,
        'attn_qkv.weight': [width, deltaConvolved],
        'attn_gate.weight': [width, deltaWidth],
        'ssm_conv1d.weight': [convolution, deltaConvolved],
        'ssm_dt.bias': [timeRank],
        ssm_a: [timeRank],
        'ssm_beta.weight': [width, timeRank],
        'ssm_alpha.weight': [width, timeRank],
        'ssm_norm.weight': [deltaState],
        'ssm_out.weight': [deltaWidth, width],
      },
      gatedQueries,
    ],
    head: { ...gatedQueries, ...trainedHead },
  },
  glm4moe: {
    architecture: 'glm4moe',
    vocabulary: () => bpeVocabulary('qwen2'),
    metadata: {
      ...rope,
      'attention.key_length': u32(headWidth),
      'attention.value_length': u32(headWidth),
      expert_count: u32(experts),
      expert_used_count: u32(2),
      expert_shared_count: u32(0),
      expert_feed_forward_length: u32(feedForward),
      leading_dense_block_count: u32(0),
    },
    layer: expertLayer,
    head: { ...expertLayer, ...trainedHead },
  },
  // A trained head alone, of one layer, for a model of at least four.
  eagle3: {
    architecture: 'eagle3',
    vocabulary: () => bpeVocabulary('qwen2'),
    metadata: {
      ...rope,
      'attention.key_length': u32(headWidth),
      'attention.value_length': u32(headWidth),
      target_layers: array('int32', [1, 2, 3]),
      target_hidden_size: u32(width),
    },
    layer: {
      ...gated,
      'attn_norm_2.weight': [width],
      'attn_q.weight': [2 * width, width],
      'attn_k.weight': [2 * width, keyWidth],
      'attn_v.weight': [2 * width, keyWidth],
    },
    outer: { 'fc.weight': [3 * width, width], 'output_norm.weight': [width], 'output.weight': [width, null] },
  },
  bert: bertFamily({ width, heads, feedForward }),
}

export function bertFamily({ width, heads, feedForward }: BertSize): Family {
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
