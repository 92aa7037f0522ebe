import { unsupportedSource } from '../fault.js'
import type { Fields } from '../json.js'
import { bools, f32, optional, u32, type Entries } from '../metadata.js'
import { readRotation, rotationEntries } from '../rotation.js'
import { decoderSizes, headSizes, headWidth, layerCount } from './decoder.js'
import { decoderIgnored, gatedLayer, type Family, type TensorRule } from './family.js'

/** llama.cpp multiplies with what Gemma's norms add 1 to. */
const plusOne = { plusOne: true } as const

/** The embedding is the output as well. */
const outer: Readonly<Record<string, TensorRule>> = {
  'embed_tokens.weight': { to: 'token_embd.weight' },
  'norm.weight': { to: 'output_norm.weight', ...plusOne },
}

const twoNorms: Readonly<Record<string, TensorRule>> = {
  ...gatedLayer,
  'input_layernorm.weight': { to: 'attn_norm.weight', ...plusOne },
  'post_attention_layernorm.weight': { to: 'ffn_norm.weight', ...plusOne },
}

const fourNorms: Readonly<Record<string, TensorRule>> = {
  ...twoNorms,
  'post_attention_layernorm.weight': { to: 'post_attention_norm.weight', ...plusOne },
  'pre_feedforward_layernorm.weight': { to: 'ffn_norm.weight', ...plusOne },
  'post_feedforward_layernorm.weight': { to: 'post_ffw_norm.weight', ...plusOne },
}

const ignored = [...decoderIgnored, 'lm_head.']

export const gemma: Family = {
  architectures: ['GemmaForCausalLM'],
  name: 'gemma',
  layers: 'layers',
  outer,
  layer: twoNorms,
  ignored,
  metadata(config) {
    return { ...gemmaSizes(config), ...rotationEntries(readRotation(config)) }
  },
}

export const gemma2: Family = {
  architectures: ['Gemma2ForCausalLM'],
  name: 'gemma2',
  layers: 'layers',
  outer,
  layer: fourNorms,
  ignored,
  metadata(config) {
    checkScale(config, 46)
    return {
      ...gemmaSizes(config),
      ...rotationEntries(readRotation(config)),
      ...windows(config, 2),
      attn_logit_softcapping: optional(f32, config.number('attn_logit_softcapping')),
      final_logit_softcapping: optional(f32, config.number('final_logit_softcapping')),
    }
  },
}

/** Gemma 3, and of the models that see images as well, what reads and writes text. */
export const gemma3: Family = {
  architectures: ['Gemma3ForCausalLM', 'Gemma3ForConditionalGeneration'],
  name: 'gemma3',
  layers: 'layers',
  outer,
  layer: {
    ...fourNorms,
    'self_attn.q_norm.weight': { to: 'attn_q_norm.weight', ...plusOne },
    'self_attn.k_norm.weight': { to: 'attn_k_norm.weight', ...plusOne },
  },
  ignored: [...ignored, 'vision_tower.', 'multi_modal_projector.'],
  metadata(config) {
    checkScale(config, 62)
    config.onlyAllow('attn_logit_softcapping', [undefined])
    const local = readRotation(config, 'sliding_attention')
    const ownLocal = config.object('rope_parameters')?.object('sliding_attention') !== undefined
    return {
      ...gemmaSizes(config),
      ...rotationEntries(readRotation(config)),
      'rope.freq_base_swa': f32((ownLocal ? local.theta : config.number('rope_local_base_freq')) ?? 10_000),
      ...windows(config, config.integer('sliding_window_pattern', 1) ?? 6),
      final_logit_softcapping: optional(f32, config.number('final_logit_softcapping')),
    }
  },
}

function gemmaSizes(config: Fields): Entries {
  // Older files of Gemma 1 name the exact gelu and mean the other one, as transformers takes it.
  config.onlyAllow('hidden_activation', ['gelu_pytorch_tanh', undefined])
  return { ...decoderSizes(config), ...headSizes(config) }
}

/** llama.cpp derives the scale of the attention: from the width of a head, in the largest model from that of all. */
function checkScale(config: Fields, largestLayers: number): void {
  const width = headWidth(config)
  const largest = config.integer('num_hidden_layers') === largestLayers
  const whole = (config.integer('hidden_size') ?? 0) / (config.integer('num_attention_heads', 1) ?? 1)
  const expected = largest ? Math.floor(whole) : width
  const scalar = config.number('query_pre_attn_scalar') ?? 256
  if (scalar === expected) return
  throw unsupportedSource(
    `'query_pre_attn_scalar' is ${scalar}; llama.cpp computes with ${expected} in a model of this size.`,
    { key: 'query_pre_attn_scalar' },
  )
}

/** Which layers see only a window, and how far. */
function windows(config: Fields, pattern: number): Entries {
  const layers = layerCount(config)
  const kinds = config.array('layer_types')
  const slides = Array.from({ length: layers }, (_, layer) =>
    kinds === undefined ? (layer + 1) % pattern !== 0 : kinds[layer] === 'sliding_attention',
  )
  if (!slides.includes(true)) return {}
  return {
    'attention.sliding_window': u32(config.required('sliding_window', config.integer('sliding_window', 1))),
    'attention.sliding_window_pattern': bools(slides),
  }
}
