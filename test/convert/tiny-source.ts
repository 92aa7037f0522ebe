import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { seededRandom } from '../support/seeded-random.js'
import { byteLetters } from '../support/tiny-vocabulary.js'

/** A tensor for a safetensors file; every field of its description may be wrong on purpose. */
export interface TinyTensor {
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
  readonly dtype?: string
  readonly offsets?: readonly unknown[]
}

/** A safetensors file in memory. */
export function safetensors(tensors: Readonly<Record<string, TinyTensor>>): Buffer {
  let offset = 0
  const entries = Object.entries(tensors).map(([name, { shape, bytes, dtype = 'F32', offsets }]) => {
    const begin = offset
    offset += bytes.length
    return [name, { dtype, shape, data_offsets: offsets ?? [begin, offset] }] as const
  })
  return withHeader(
    JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) }),
    Buffer.concat(Object.values(tensors).map(({ bytes }) => bytes)),
  )
}

export function withHeader(header: string, data: Uint8Array, length = BigInt(Buffer.byteLength(header))): Buffer {
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length)
  return Buffer.concat([prefix, Buffer.from(header), data])
}

/** Random F32 of a shape. */
export function randomTensor(shape: readonly number[], seed = 1): TinyTensor {
  const random = seededRandom(seed)
  const numbers = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() - 0.5)
  return { shape, bytes: new Uint8Array(numbers.buffer) }
}

const width = 16
const feedForward = 24
const letters = byteLetters()

export const tinyConfig = {
  architectures: ['LlamaForCausalLM'],
  hidden_act: 'silu',
  hidden_size: width,
  intermediate_size: feedForward,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: true,
  vocab_size: letters.length + 1,
}

export const tinyTokenizer = {
  added_tokens: [{ id: letters.length, content: '<|end|>', special: true }],
  normalizer: null as unknown,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true } as unknown,
  post_processor: null as unknown,
  model: {
    type: 'BPE',
    vocab: Object.fromEntries(letters.map((letter, id) => [letter, id])) as Record<string, unknown>,
    merges: [] as unknown[],
  },
}

/** Tensors of a Llama with two layers, by transformers' names. */
export function tinyTensors(): Record<string, TinyTensor> {
  const shapes: Record<string, readonly number[]> = {
    'model.embed_tokens.weight': [letters.length + 1, width],
    'model.norm.weight': [width],
  }
  for (const layer of [0, 1]) {
    Object.assign(shapes, {
      [`model.layers.${layer}.input_layernorm.weight`]: [width],
      [`model.layers.${layer}.post_attention_layernorm.weight`]: [width],
      [`model.layers.${layer}.self_attn.q_proj.weight`]: [width, width],
      [`model.layers.${layer}.self_attn.k_proj.weight`]: [width / 2, width],
      [`model.layers.${layer}.self_attn.v_proj.weight`]: [width / 2, width],
      [`model.layers.${layer}.self_attn.o_proj.weight`]: [width, width],
      [`model.layers.${layer}.mlp.gate_proj.weight`]: [feedForward, width],
      [`model.layers.${layer}.mlp.up_proj.weight`]: [feedForward, width],
      [`model.layers.${layer}.mlp.down_proj.weight`]: [width, feedForward],
    })
  }
  return Object.fromEntries(Object.entries(shapes).map(([name, shape], seed) => [name, randomTensor(shape, seed)]))
}

/** Files of a folder by name; `undefined` leaves one of the tiny model's out. */
export type SourceFiles = Readonly<Record<string, string | Uint8Array | object | undefined>>

/** A folder in Hugging Face's layout with a tiny Llama, and what is put over it. */
export async function tinySource(root: string, files: SourceFiles = {}): Promise<string> {
  const folder = await mkdtemp(join(root, 'source-'))
  const all: SourceFiles = {
    'config.json': tinyConfig,
    'tokenizer.json': tinyTokenizer,
    'tokenizer_config.json': { eos_token: '<|end|>' },
    ...('model.safetensors' in files ? {} : { 'model.safetensors': safetensors(tinyTensors()) }),
    ...files,
  }
  for (const [name, content] of Object.entries(all)) {
    if (content === undefined) continue
    await mkdir(dirname(join(folder, name)), { recursive: true })
    const plain = typeof content === 'string' || content instanceof Uint8Array
    await writeFile(join(folder, name), plain ? content : JSON.stringify(content))
  }
  return folder
}
