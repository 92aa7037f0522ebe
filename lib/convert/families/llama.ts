import type { Fields } from '../json.js'
import { u32, type Entries } from '../metadata.js'
import { llama3Divisors, readRotation, rotationEntries } from '../rotation.js'
import { decoderSizes, headSizes, headWidth } from './decoder.js'
import {
  decoderIgnored,
  decoderOuter,
  gatedLayer,
  type ComputedTensor,
  type Family,
  type TensorRule,
} from './family.js'

const optional = { optional: true } as const

const biases: Readonly<Record<string, TensorRule>> = {
  'self_attn.q_proj.bias': { to: 'attn_q.bias', pairs: true, ...optional },
  'self_attn.k_proj.bias': { to: 'attn_k.bias', pairs: true, ...optional },
  'self_attn.v_proj.bias': { to: 'attn_v.bias', ...optional },
  'self_attn.o_proj.bias': { to: 'attn_output.bias', ...optional },
  'mlp.gate_proj.bias': { to: 'ffn_gate.bias', ...optional },
  'mlp.up_proj.bias': { to: 'ffn_up.bias', ...optional },
  'mlp.down_proj.bias': { to: 'ffn_down.bias', ...optional },
}

/** Llama 1 to 3, Mistral, SmolLM and others of their shape. */
export const llama: Family = {
  architectures: ['LlamaForCausalLM', 'MistralForCausalLM'],
  name: 'llama',
  layers: 'layers',
  outer: decoderOuter,
  layer: {
    ...gatedLayer,
    ...biases,
    'self_attn.q_proj.weight': { to: 'attn_q.weight', pairs: true },
    'self_attn.k_proj.weight': { to: 'attn_k.weight', pairs: true },
  },
  ignored: decoderIgnored,
  metadata: llamaEntries,
  computed: llama3Table,
  headWidth,
}

/** Keys of the llama architecture, and of those that compute alike but for the order within heads. */
export function llamaEntries(config: Fields): Entries {
  config.onlyAllow('hidden_act', ['silu', undefined])
  return {
    ...decoderSizes(config),
    ...headSizes(config),
    ...rotationEntries(readRotation(config)),
    'rope.dimension_count': u32(headWidth(config)),
  }
}

/** The divisors of Llama 3's frequencies, where they are scaled. */
export function llama3Table(config: Fields): readonly ComputedTensor[] {
  const values = llama3Divisors(readRotation(config), headWidth(config))
  return values === undefined ? [] : [{ name: 'rope_freqs.weight', values }]
}
