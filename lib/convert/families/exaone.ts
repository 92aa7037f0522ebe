import { Fields } from '../json.js'
import type { Entries } from '../metadata.js'
import { readRotation, rotationEntries } from '../rotation.js'
import { decoderSizes, headSizes, headWidth } from './decoder.js'
import { decoderIgnored, decoderOuter, type Family } from './family.js'
import { llama3Table, llamaEntries } from './llama.js'

/** EXAONE 3 and 3.5: Llama under names of its own, and with heads rotated as everywhere but there. */
export const exaone: Family = {
  architectures: ['ExaoneForCausalLM'],
  name: 'exaone',
  layers: 'h',
  outer: {
    'wte.weight': { to: 'token_embd.weight' },
    'ln_f.weight': { to: 'output_norm.weight' },
    'lm_head.weight': { to: 'output.weight', optional: true },
  },
  layer: {
    'ln_1.weight': { to: 'attn_norm.weight' },
    'attn.attention.q_proj.weight': { to: 'attn_q.weight' },
    'attn.attention.k_proj.weight': { to: 'attn_k.weight' },
    'attn.attention.v_proj.weight': { to: 'attn_v.weight' },
    'attn.attention.out_proj.weight': { to: 'attn_output.weight' },
    'ln_2.weight': { to: 'ffn_norm.weight' },
    'mlp.c_fc_0.weight': { to: 'ffn_gate.weight' },
    'mlp.c_fc_1.weight': { to: 'ffn_up.weight' },
    'mlp.c_proj.weight': { to: 'ffn_down.weight' },
  },
  ignored: [...decoderIgnored, '.rotary.'],
  metadata: (config) => llamaEntries(ownNames(config)),
  computed: llama3Table,
}

/** Its names for what other files call otherwise. */
function ownNames(config: Fields): Fields {
  return config.over(
    new Fields(
      {
        num_hidden_layers: config.raw('num_layers'),
        rms_norm_eps: config.raw('layer_norm_epsilon'),
        hidden_act: config.raw('activation_function'),
      },
      config.name,
    ),
  )
}

/** EXAONE 4 with 30 layers; llama.cpp tells it from the one with windows by their number. */
export const exaone4: Family = {
  architectures: ['Exaone4ForCausalLM'],
  name: 'exaone4',
  layers: 'layers',
  outer: decoderOuter,
  layer: {
    'self_attn.q_proj.weight': { to: 'attn_q.weight' },
    'self_attn.k_proj.weight': { to: 'attn_k.weight' },
    'self_attn.v_proj.weight': { to: 'attn_v.weight' },
    'self_attn.o_proj.weight': { to: 'attn_output.weight' },
    'self_attn.q_norm.weight': { to: 'attn_q_norm.weight' },
    'self_attn.k_norm.weight': { to: 'attn_k_norm.weight' },
    'post_attention_layernorm.weight': { to: 'post_attention_norm.weight' },
    'mlp.gate_proj.weight': { to: 'ffn_gate.weight' },
    'mlp.up_proj.weight': { to: 'ffn_up.weight' },
    'mlp.down_proj.weight': { to: 'ffn_down.weight' },
    'post_feedforward_layernorm.weight': { to: 'post_ffw_norm.weight' },
  },
  ignored: decoderIgnored,
  metadata(config): Entries {
    config.onlyAllow('hidden_act', ['silu', undefined])
    config.onlyAllow('sliding_window', [undefined])
    return { ...decoderSizes(config), ...headSizes(config), ...rotationEntries(readRotation(config)) }
  },
  computed: llama3Table,
  headWidth,
}
