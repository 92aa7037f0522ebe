import { existsSync } from 'node:fs'
import { mkdir, open, rename, type FileHandle } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { layoutGguf, type GgufPlace, type GgufTensorShape } from '../lib/gguf/header-writer.js'
import { readGguf, type GgufValue } from '../lib/gguf/index.js'
import { seededRandom, type Random } from '../test/support/seeded-random.js'

export interface LlamaShape {
  readonly layers: number
  readonly width: number
  readonly heads: number
  /** Heads of keys and values, each for several heads of queries. */
  readonly keyHeads: number
  readonly feedForward: number
}

/** Shapes of models that people run, by name; with the 49,152 tokens of SmolLM2 1.07 and 2.96 billion parameters. */
export const shapes = {
  'Llama 3.2 1B': { layers: 16, width: 2048, heads: 32, keyHeads: 8, feedForward: 8192 },
  'Llama 3.2 3B': { layers: 28, width: 3072, heads: 24, keyHeads: 8, feedForward: 8192 },
} as const satisfies Record<string, LlamaShape>

// Beside the peers: too large for each run to write it, and of no use in the checkout.
const folder = join(homedir(), '.cache', 'llamero-bench')

/** A model of one of the {@link shapes}, written on first use (0.7 and 1.9 GB). */
export async function randomLlamaPath(name: keyof typeof shapes, vocabularyOf: string): Promise<string> {
  const path = join(folder, `random-${name.toLowerCase().replaceAll(' ', '-')}-q4_1.gguf`)
  if (existsSync(path)) return path
  await mkdir(folder, { recursive: true })
  await writeRandomLlama(`${path}.part`, shapes[name], vocabularyOf)
  await rename(`${path}.part`, path)
  return path
}

/**
 * A model whose words mean nothing but which costs what a real one of its shape costs: weights are Q4_1, as in SmolLM2's
 * file, and the embedding, which is the last matrix as well, Q8_0.
 *
 * @param vocabularyOf the model file whose vocabulary it takes
 */
export async function writeRandomLlama(path: string, shape: LlamaShape, vocabularyOf: string): Promise<void> {
  const vocabulary = new Map(
    [...(await readGguf(vocabularyOf)).metadata].filter(([key]) => key.startsWith('tokenizer.')),
  )
  const tokens = vocabulary.get('tokenizer.ggml.tokens')
  if (tokens?.type !== 'array') throw new Error(`${vocabularyOf} has no vocabulary.`)
  const tensors = tensorsOf(shape, tokens.value.length)
  const { header, places, sizeBytes } = layoutGguf(new Map([...metadataOf(shape), ...vocabulary]), tensors)
  const random = seededRandom(1)
  const contents = new Map([...types].map(([type, piece]) => [type, piece(random)]))
  const file = await open(path, 'w')
  try {
    await file.truncate(sizeBytes)
    await file.write(header, 0, header.length, 0)
    for (const [index, { type }] of tensors.entries()) await fill(file, places[index]!, contents.get(type)!)
  } finally {
    await file.close()
  }
}

// Of whole blocks; a larger tensor repeats it, which no kernel can notice.
const pieceBlocks = 65_536
// Half-precision numbers: with these scales a product with 2,048 weights is about as large as what went in.
const scale = { q4: 0x1c00, q4Least: 0xa780, q8: 0x0c00 } // 2^-8, -7.5 * 2^-8, 2^-12

/** How a piece of each type is made. */
const types = new Map<string, (random: Random) => Buffer>([
  ['F32', () => Buffer.from(new Float32Array(pieceBlocks).fill(1).buffer)],
  ['Q4_1', (random) => blocks(20, [scale.q4, scale.q4Least], random)],
  ['Q8_0', (random) => blocks(34, [scale.q8], random)],
])

function blocks(blockBytes: number, head: readonly number[], random: Random): Buffer {
  const piece = Buffer.alloc(pieceBlocks * blockBytes)
  for (let at = 0; at < piece.length; at++) piece[at] = Math.floor(256 * random())
  for (let at = 0; at < piece.length; at += blockBytes) {
    for (const [index, bits] of head.entries()) piece.writeUInt16LE(bits, at + 2 * index)
  }
  return piece
}

async function fill(file: FileHandle, { offset, sizeBytes }: GgufPlace, piece: Buffer): Promise<void> {
  for (let done = 0; done < sizeBytes; done += piece.length) {
    await file.write(piece, 0, Math.min(piece.length, sizeBytes - done), offset + done)
  }
}

function metadataOf({ layers, width, heads, keyHeads, feedForward }: LlamaShape): Map<string, GgufValue> {
  const whole = (value: number): GgufValue => ({ type: 'uint32', value })
  const real = (value: number): GgufValue => ({ type: 'float32', value })
  const text = (value: string): GgufValue => ({ type: 'string', value })
  return new Map([
    ['general.architecture', text('llama')],
    ['general.type', text('model')],
    ['general.name', text('Random Llama')],
    ['general.file_type', whole(3)],
    ['general.quantization_version', whole(2)],
    ['llama.context_length', whole(131_072)],
    ['llama.embedding_length', whole(width)],
    ['llama.block_count', whole(layers)],
    ['llama.feed_forward_length', whole(feedForward)],
    ['llama.attention.head_count', whole(heads)],
    ['llama.attention.head_count_kv', whole(keyHeads)],
    ['llama.attention.layer_norm_rms_epsilon', real(1e-5)],
    ['llama.rope.dimension_count', whole(width / heads)],
    ['llama.rope.freq_base', real(500_000)],
  ])
}

function tensorsOf({ layers, width, heads, keyHeads, feedForward }: LlamaShape, words: number): GgufTensorShape[] {
  const keyWidth = (width / heads) * keyHeads
  const norm = (name: string): GgufTensorShape => ({ name, type: 'F32', dimensions: [width] })
  const matrix = (name: string, from: number, to: number): GgufTensorShape => ({
    name,
    type: 'Q4_1',
    dimensions: [from, to],
  })
  return [
    { name: 'token_embd.weight', type: 'Q8_0', dimensions: [width, words] },
    norm('output_norm.weight'),
    ...Array.from({ length: layers }, (_, layer) => `blk.${layer}.`).flatMap((block) => [
      norm(`${block}attn_norm.weight`),
      matrix(`${block}attn_q.weight`, width, width),
      matrix(`${block}attn_k.weight`, width, keyWidth),
      matrix(`${block}attn_v.weight`, width, keyWidth),
      matrix(`${block}attn_output.weight`, width, width),
      norm(`${block}ffn_norm.weight`),
      matrix(`${block}ffn_gate.weight`, width, feedForward),
      matrix(`${block}ffn_up.weight`, width, feedForward),
      matrix(`${block}ffn_down.weight`, feedForward, width),
    ]),
  ]
}
