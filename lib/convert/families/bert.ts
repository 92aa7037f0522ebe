import type { Fields } from '../json.js'
import { bool, f32, u32, type Entries } from '../metadata.js'
import { layerCount } from './decoder.js'
import type { Family } from './family.js'

/** Encoders that embed texts. */
export const bert: Family = {
  architectures: ['BertModel', 'BertForMaskedLM'],
  name: 'bert',
  layers: 'encoder.layer',
  outer: {
    'embeddings.word_embeddings.weight': { to: 'token_embd.weight' },
    'embeddings.token_type_embeddings.weight': { to: 'token_types.weight', exact: true },
    'embeddings.position_embeddings.weight': { to: 'position_embd.weight', exact: true },
    'embeddings.LayerNorm.weight': { to: 'token_embd_norm.weight' },
    'embeddings.LayerNorm.bias': { to: 'token_embd_norm.bias' },
  },
  layer: {
    'attention.self.query.weight': { to: 'attn_q.weight' },
    'attention.self.query.bias': { to: 'attn_q.bias' },
    'attention.self.key.weight': { to: 'attn_k.weight' },
    'attention.self.key.bias': { to: 'attn_k.bias' },
    'attention.self.value.weight': { to: 'attn_v.weight' },
    'attention.self.value.bias': { to: 'attn_v.bias' },
    'attention.output.dense.weight': { to: 'attn_output.weight' },
    'attention.output.dense.bias': { to: 'attn_output.bias' },
    'attention.output.LayerNorm.weight': { to: 'attn_output_norm.weight' },
    'attention.output.LayerNorm.bias': { to: 'attn_output_norm.bias' },
    'intermediate.dense.weight': { to: 'ffn_up.weight' },
    'intermediate.dense.bias': { to: 'ffn_up.bias' },
    'output.dense.weight': { to: 'ffn_down.weight' },
    'output.dense.bias': { to: 'ffn_down.bias' },
    'output.LayerNorm.weight': { to: 'layer_output_norm.weight' },
    'output.LayerNorm.bias': { to: 'layer_output_norm.bias' },
  },
  // Embeddings need neither the head that guesses words nor the layer behind [CLS].
  ignored: ['embeddings.position_ids', 'pooler.', 'cls.'],
  metadata: bertEntries,
}

function bertEntries(config: Fields): Entries {
  config.onlyAllow('hidden_act', ['gelu', undefined])
  config.onlyAllow('position_embedding_type', ['absolute', undefined])
  config.onlyAllow('is_decoder', [false, undefined])
  const size = (key: string) => u32(config.required(key, config.integer(key, 1)))
  return {
    context_length: size('max_position_embeddings'),
    embedding_length: size('hidden_size'),
    block_count: u32(layerCount(config)),
    feed_forward_length: size('intermediate_size'),
    'attention.head_count': size('num_attention_heads'),
    'attention.head_count_kv': size('num_attention_heads'),
    'attention.layer_norm_epsilon': f32(config.number('layer_norm_eps') ?? 1e-12),
    'attention.causal': bool(false),
  }
}
