import { writeFile } from 'node:fs/promises'
import { f32, text, u32, writeGguf, type WriterTensor, type WriterValue } from './gguf-writer.js'
import { cycles, endToken, following, keyToken, noKeyToken, weights } from './script.js'
import type { TinyLora } from './tiny-lora.js'
import { byteName, spmVocabulary, type Vocabulary } from './tiny-vocabulary.js'

export interface ScriptedModelOptions {
  /** Layers after the first only pass on what they get: they cost time, not sense. */
  readonly layers?: number
  /** Keys that it does not see: a draft model that is wrong about them. */
  readonly blind?: readonly number[]
  /** Factor on the logits: with 2 the best token is all but certain at temperature 1. */
  readonly sharpness?: number
  readonly contextLength?: number
  /** Keys to add, replace, or leave out where `undefined`. */
  readonly metadata?: Readonly<Record<string, WriterValue | undefined>>
}

/** Numbers of its embedding. */
export const scriptedWidth = 128
const width = scriptedWidth
const headWidth = 64
const units = 256
/** The pair of rotary dimensions that turns slowest: at this base by less than 1e-7 over 32,768 tokens. */
const still = headWidth - 2
const ropeBase = 1e12

/** Undoes the first norm's factor, so that what attention brings are shares. */
const seenShare = 1 / 8

/** Where each feature lies in the residual stream. */
const feature = { constant: 0, plain: 1, key: 2, seen: 12, current: 22 } as const

/** The vocabulary: bytes, printable ASCII, the keys, and the cut characters of key 8. */
export function scriptedVocabulary(): Vocabulary {
  return spmVocabulary([...[...cycles.keys()].map(keyToken), ...cutPieces()])
}

function cutPieces(): Buffer[] {
  return cycles.flatMap(({ tokens }) => tokens.filter((token) => token.length > 1))
}

/**
 * A llama model of one layer whose greedy answers {@link predict} knows.
 *
 * Attention looks at key tokens only (they alone have a key vector, along a direction that does not turn), so what it
 * brings is each key's share. A unit of the feed-forward layer per key and token multiplies the share by whether the
 * token is the current one, and writes what follows.
 */
export function scriptedModel(options: ScriptedModelOptions = {}): Uint8Array {
  const vocabulary = scriptedVocabulary()
  const layers = options.layers ?? 1
  return writeGguf({
    metadata: {
      'general.architecture': text('llama'),
      'general.type': text('model'),
      'general.name': text('Scripted'),
      'general.file_type': u32(0),
      'llama.vocab_size': u32(vocabulary.tokens.length),
      'llama.context_length': u32(options.contextLength ?? 32_768),
      'llama.embedding_length': u32(width),
      'llama.block_count': u32(layers),
      'llama.feed_forward_length': u32(units),
      'llama.attention.head_count': u32(width / headWidth),
      'llama.attention.head_count_kv': u32(1),
      'llama.rope.dimension_count': u32(headWidth),
      'llama.rope.freq_base': f32(ropeBase),
      'llama.attention.layer_norm_rms_epsilon': f32(1e-5),
      ...vocabulary.metadata,
      ...options.metadata,
    },
    tensors: scriptedTensors(vocabulary, { layers, sharpness: options.sharpness ?? 2, blind: options.blind ?? [] }),
  })
}

/** Writes the scripted model to `path` and returns `path`. */
export async function writeScriptedModel(path: string, options: ScriptedModelOptions = {}): Promise<string> {
  await writeFile(path, scriptedModel(options))
  return path
}

/** A LoRA for the scripted model under which it takes the key `from` for the key `to`: by what it caches of it. */
export function scriptedLora(from: number, to: number): TinyLora {
  const a = new Matrix(width, 1)
  a.add(0, feature.key + from, 1)
  const b = new Matrix(1, headWidth)
  b.add(from, 0, -seenShare)
  b.add(to, 0, seenShare)
  const pair = { name: 'blk.0.attn_v.weight', inputs: width, outputs: headWidth, a: a.data, b: b.data }
  return { rank: 1, alpha: 1, pairs: [pair] }
}

class Matrix {
  readonly data: Float32Array
  constructor(
    readonly columns: number,
    readonly rows: number,
  ) {
    this.data = new Float32Array(columns * rows)
  }
  /** Adds to how strongly input `column` feeds output `row`. */
  add(row: number, column: number, value: number): void {
    this.data[row * this.columns + column] = (this.data[row * this.columns + column] ?? 0) + value
  }
  tensor(name: string): WriterTensor {
    return { name, dimensions: [this.columns, this.rows], data: this.data }
  }
}

const ones = (name: string): WriterTensor => ({ name, dimensions: [width], data: new Float32Array(width).fill(1) })

/** Features for "this is the current token" and "this comes next", numbered in the order of the cycles. */
function numberTokens() {
  const current = new Map<string, number>()
  const next = new Map<string, number>()
  const names = cycles.flatMap(({ tokens }) => tokens.map((token) => token.toString('latin1')))
  for (const name of new Set(names)) current.set(name, feature.current + current.size)
  const first = feature.current + current.size
  for (const name of [...current.keys(), endToken.toString('latin1'), noKeyToken.toString('latin1')]) {
    next.set(name, first + next.size)
  }
  if (first + next.size > width) throw new Error('the script has more tokens than the model has features')
  return { current, next }
}

/** One byte is its byte token, unless it is printable and has a token of its own. */
function tokenId(vocabulary: Vocabulary, bytes: Buffer): number {
  const byte = bytes[0] ?? 0
  const own = bytes.length > 1 || (byte > 32 && byte < 127)
  return vocabulary.id(own ? bytes : byteName(byte))
}

function scriptedTensors(
  vocabulary: Vocabulary,
  { layers, sharpness, blind }: Required<Pick<ScriptedModelOptions, 'layers' | 'sharpness' | 'blind'>>,
): WriterTensor[] {
  const numbers = numberTokens()
  const at = (map: Map<string, number>, token: Buffer) => map.get(token.toString('latin1')) ?? 0
  const count = vocabulary.tokens.length

  const embedding = new Matrix(width, count)
  const output = new Matrix(width, count)
  const special = new Map<number, number>()
  for (const key of cycles.keys()) special.set(vocabulary.id(keyToken(key)), feature.key + key)
  for (const name of numbers.current.keys()) {
    const bytes = Buffer.from(name, 'latin1')
    special.set(tokenId(vocabulary, bytes), at(numbers.current, bytes))
  }
  // Exactly two ones in every row, so that the first norm scales all tokens alike, by 8.
  for (let id = 0; id < count; id++) {
    embedding.add(id, feature.constant, 1)
    embedding.add(id, special.get(id) ?? feature.plain, 1)
  }
  for (const [name, index] of numbers.next)
    output.add(tokenId(vocabulary, Buffer.from(name, 'latin1')), index, sharpness)

  const query = new Matrix(width, width)
  const key = new Matrix(width, headWidth)
  const value = new Matrix(width, headWidth)
  const attention = new Matrix(width, width)
  for (let head = 0; head < width / headWidth; head++) query.add(head * headWidth + still, feature.constant, 2)
  for (const index of cycles.keys()) {
    // 16 x 10 / sqrt(64): a key token weighs e^20 times as much as another.
    key.add(still, feature.key + index, 1.25)
    value.add(index, feature.key + index, seenShare)
    if (!blind.includes(index)) attention.add(feature.seen + index, index, 1)
  }

  const gate = new Matrix(width, units)
  const up = new Matrix(width, units)
  const down = new Matrix(units, width)
  let unit = 0
  const rule = (when: Buffer | undefined, seen: number, then: Buffer, weight: number) => {
    if (when === undefined) gate.add(unit, feature.constant, 4)
    else {
      gate.add(unit, at(numbers.current, when), 8)
      gate.add(unit, feature.constant, -4)
    }
    up.add(unit, seen, 1)
    down.add(at(numbers.next, then), unit, weight)
    unit++
  }
  rule(undefined, feature.constant, noKeyToken, weights.none)
  for (const [index, cycle] of cycles.entries()) {
    rule(undefined, feature.seen + index, cycle.tokens[0] ?? endToken, weights.begin)
    for (const [place, token] of cycle.tokens.entries()) {
      rule(token, feature.seen + index, following(cycle, place), weights.follow)
    }
  }
  if (unit > units) throw new Error('the script has more rules than the model has units')

  const working = [query, key, value, attention, gate, up, down]
  const idle = working.map(({ columns, rows }) => new Matrix(columns, rows))
  const names = ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down']
  return [
    embedding.tensor('token_embd.weight'),
    ones('output_norm.weight'),
    output.tensor('output.weight'),
    ...Array.from({ length: layers }, (_, layer) => [
      ones(`blk.${layer}.attn_norm.weight`),
      ones(`blk.${layer}.ffn_norm.weight`),
      ...(layer === 0 ? working : idle).map((matrix, index) => matrix.tensor(`blk.${layer}.${names[index]}.weight`)),
    ]).flat(),
  ]
}
