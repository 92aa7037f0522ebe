import { invalidSource } from '../fault.js'
import type { Fields } from '../json.js'
import { f32, u32, type Entries } from '../metadata.js'

const mostHeadWidth = 65_536

/** llama.cpp has no more layers than 512. */
export function layerCount(config: Fields): number {
  return config.required('num_hidden_layers', config.integer('num_hidden_layers', 1, 512))
}

/** Elements of one attention head. */
export function headWidth(config: Fields): number {
  const given = config.integer('head_dim', 1, mostHeadWidth)
  if (given !== undefined) return given
  const width = config.required('hidden_size', config.integer('hidden_size', 1, mostHeadWidth * 64))
  const heads = config.required('num_attention_heads', config.integer('num_attention_heads', 1))
  if (width % heads !== 0)
    throw invalidSource(`a hidden size of ${width} does not divide into ${heads} attention heads.`)
  return width / heads
}

/** Sizes that every decoder has. */
export function decoderSizes(config: Fields): Entries {
  const size = (key: string) => config.required(key, config.integer(key, 1))
  const heads = size('num_attention_heads')
  return {
    context_length: u32(size('max_position_embeddings')),
    embedding_length: u32(size('hidden_size')),
    block_count: u32(layerCount(config)),
    feed_forward_length: u32(size('intermediate_size')),
    'attention.head_count': u32(heads),
    'attention.head_count_kv': u32(config.integer('num_key_value_heads', 1) ?? heads),
    'attention.layer_norm_rms_epsilon': f32(config.required('rms_norm_eps', config.number('rms_norm_eps'))),
  }
}

/** The width of heads where it is not that of the embedding divided by their number. */
export function headSizes(config: Fields): Entries {
  const width = u32(headWidth(config))
  return { 'attention.key_length': width, 'attention.value_length': width }
}
