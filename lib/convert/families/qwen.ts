import type { Fields } from '../json.js'
import type { Entries } from '../metadata.js'
import { readRotation, rotationEntries } from '../rotation.js'
import { decoderSizes, headSizes } from './decoder.js'
import { decoderIgnored, decoderOuter, gatedLayer, type Family } from './family.js'

/** Qwen 2 and 2.5. */
export const qwen2: Family = {
  architectures: ['Qwen2ForCausalLM'],
  name: 'qwen2',
  layers: 'layers',
  outer: decoderOuter,
  layer: {
    ...gatedLayer,
    'self_attn.q_proj.bias': { to: 'attn_q.bias' },
    'self_attn.k_proj.bias': { to: 'attn_k.bias' },
    'self_attn.v_proj.bias': { to: 'attn_v.bias' },
  },
  ignored: decoderIgnored,
  metadata: qwenEntries,
}

export const qwen3: Family = {
  architectures: ['Qwen3ForCausalLM'],
  name: 'qwen3',
  layers: 'layers',
  outer: decoderOuter,
  layer: {
    ...gatedLayer,
    'self_attn.q_norm.weight': { to: 'attn_q_norm.weight' },
    'self_attn.k_norm.weight': { to: 'attn_k_norm.weight' },
  },
  ignored: decoderIgnored,
  metadata: qwenEntries,
}

function qwenEntries(config: Fields): Entries {
  config.onlyAllow('hidden_act', ['silu', undefined])
  // llama.cpp lets every layer of these see the whole context.
  config.onlyAllow('use_sliding_window', [false, undefined])
  return { ...decoderSizes(config), ...headSizes(config), ...rotationEntries(readRotation(config)) }
}
