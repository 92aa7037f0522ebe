import { invalidSource, unsupportedSource } from '../fault.js'
import type { Fields } from '../json.js'
import { f32, optional, text, u32, type Entries } from '../metadata.js'
import { readRotation, rotationEntries } from '../rotation.js'
import { decoderSizes, headWidth } from './decoder.js'
import {
  decoderIgnored,
  decoderOuter,
  gatedLayer,
  type ComputedTensor,
  type Family,
  type TensorRule,
} from './family.js'

const shared: Readonly<Record<string, TensorRule>> = {
  'input_layernorm.weight': gatedLayer['input_layernorm.weight'],
  'post_attention_layernorm.weight': gatedLayer['post_attention_layernorm.weight'],
  'self_attn.o_proj.weight': gatedLayer['self_attn.o_proj.weight'],
  'mlp.down_proj.weight': gatedLayer['mlp.down_proj.weight'],
}

/** Phi 3, 3.5 and 4, which keep queries, keys and values in one matrix, and gates with what they gate. */
export const phi3: Family = {
  architectures: ['Phi3ForCausalLM'],
  name: 'phi3',
  layers: 'layers',
  outer: decoderOuter,
  layer: {
    ...shared,
    'self_attn.qkv_proj.weight': { to: 'attn_qkv.weight' },
    'mlp.gate_up_proj.weight': { to: 'ffn_up.weight' },
  },
  ignored: decoderIgnored,
  metadata: phi3Entries,
  computed: longTables,
}

function phi3Entries(config: Fields): Entries {
  config.onlyAllow('hidden_act', ['silu', undefined])
  const rotation = readRotation(config)
  const context = config.integer('max_position_embeddings', 1) ?? 1
  const long = rotation.type === 'longrope' || rotation.type === 'su'
  return {
    ...decoderSizes(config),
    'rope.dimension_count': u32(rotatedWidth(config)),
    'rope.scaling.original_context_length': u32(originalContext(config) ?? context),
    ...(long
      ? {
          'rope.freq_base': optional(f32, rotation.theta),
          'rope.scaling.type': text('longrope'),
          'rope.scaling.attn_factor': f32(
            rotation.fields.number('attention_factor') ?? attentionFactor(config, context),
          ),
        }
      : rotationEntries(rotation)),
  }
}

/** Phi 4 mini rotates a part of each head. */
function rotatedWidth(config: Fields): number {
  const part =
    readRotation(config).fields.number('partial_rotary_factor') ?? config.number('partial_rotary_factor') ?? 1
  return Math.floor(headWidth(config) * part)
}

function originalContext(config: Fields): number | undefined {
  const key = 'original_max_position_embeddings'
  return config.integer(key, 1) ?? readRotation(config).fields.integer(key, 1)
}

function attentionFactor(config: Fields, context: number): number {
  const original = originalContext(config) ?? context
  return context > original ? Math.sqrt(1 + Math.log(context / original) / Math.log(original)) : 1
}

/** Divisors of the frequencies, for texts within the original context and for longer ones. */
function longTables(config: Fields): readonly ComputedTensor[] {
  const { type, fields } = readRotation(config)
  if (type !== 'longrope' && type !== 'su') return []
  return (['long', 'short'] as const).map((length) => {
    const key = `${length}_factor`
    const values = fields.required(key, fields.numbers(key))
    if (values.length !== rotatedWidth(config) / 2) {
      throw invalidSource(`'${key}' has ${values.length} numbers; ${rotatedWidth(config) / 2} were expected.`, { key })
    }
    if (values.some((value) => !(value > 0))) throw unsupportedSource(`'${key}' has numbers that are not above 0.`)
    return { name: `rope_factors_${length}.weight`, values: Float32Array.from(values) }
  })
}
