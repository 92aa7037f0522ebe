import type { Fields } from '../json.js'
import type { Entries } from '../metadata.js'

/** What becomes of a tensor of the source. */
export interface TensorRule {
  /** Its name in the new file, behind `blk.<layer>.` for a tensor of a layer. */
  readonly to: string
  /** Models of the family may lack it. */
  readonly optional?: true
  /** Its rows are those of attention heads and are laid in pairs. */
  readonly pairs?: true
  /** Llama.cpp multiplies with what transformers adds 1 to. */
  readonly plusOne?: true
  /** F32 whatever the type of the others. */
  readonly exact?: true
}

/** A table that is computed from config.json and lies in the file as a tensor of F32. */
export interface ComputedTensor {
  readonly name: string
  readonly values: Float32Array
}

/** Models whose weights have the same names and shapes: from transformers' names to llama.cpp's. */
export interface Family {
  /** Values of `architectures` in config.json. */
  readonly architectures: readonly string[]
  /** llama.cpp's name, `general.architecture`. */
  readonly name: string
  /** Where layers lie, such as `layers` in `model.layers.0.mlp.up_proj.weight`. */
  readonly layers: string
  readonly outer: Readonly<Record<string, TensorRule>>
  readonly layer: Readonly<Record<string, TensorRule>>
  /** Beginnings of names, behind prefixes, that no language model needs; a sound or image tower for instance. */
  readonly ignored: readonly string[]
  /** Its keys, without the architecture before them. Throws for what llama.cpp would compute otherwise. */
  readonly metadata: (config: Fields) => Entries
  readonly computed?: (config: Fields) => readonly ComputedTensor[]
  /** Rows of the embedding as far as the vocabulary goes, where checkpoints have more. */
  readonly headWidth?: (config: Fields) => number
}

const optional = { optional: true } as const

/** Names that nearly all families with gated feed-forward layers share. */
export const gatedLayer = {
  'input_layernorm.weight': { to: 'attn_norm.weight' },
  'self_attn.q_proj.weight': { to: 'attn_q.weight' },
  'self_attn.k_proj.weight': { to: 'attn_k.weight' },
  'self_attn.v_proj.weight': { to: 'attn_v.weight' },
  'self_attn.o_proj.weight': { to: 'attn_output.weight' },
  'post_attention_layernorm.weight': { to: 'ffn_norm.weight' },
  'mlp.gate_proj.weight': { to: 'ffn_gate.weight' },
  'mlp.up_proj.weight': { to: 'ffn_up.weight' },
  'mlp.down_proj.weight': { to: 'ffn_down.weight' },
} as const satisfies Readonly<Record<string, TensorRule>>

export const decoderOuter = {
  'embed_tokens.weight': { to: 'token_embd.weight' },
  'norm.weight': { to: 'output_norm.weight' },
  'lm_head.weight': { to: 'output.weight', ...optional },
} as const satisfies Readonly<Record<string, TensorRule>>

/** What transformers stores beside weights: tables that are computed anew. */
export const decoderIgnored = ['rotary_emb.']
