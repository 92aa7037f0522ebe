import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { convert } from '../../lib/convert/index.js'
import { LlameroError } from '../../lib/errors.js'
import { readGguf, validateModel } from '../../lib/gguf/index.js'
import { randomBelow, seededRandom, type Random } from '../support/seeded-random.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { byteName } from '../support/tiny-vocabulary.js'
import { randomTensor, safetensors, tinyConfig, tinySource, tinyTensors, tinyTokenizer } from './tiny-source.js'

const directory = temporaryDirectory()

/** Values that stand in real files and are wrong nearly everywhere. */
const strange = [null, -1, 0, 1.5, 2 ** 31, 1e300, '', '../x', '__proto__', [], {}, [[]], true, 'F32', { a: [1] }]

/** Puts a strange value somewhere into a document. */
function mutated(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || randomBelow(random, 4) === 0) {
    return strange[randomBelow(random, strange.length)]
  }
  const keys = Object.keys(value)
  const key = keys[randomBelow(random, keys.length)]
  if (key === undefined) return strange[randomBelow(random, strange.length)]
  const changed = mutated((value as Record<string, unknown>)[key], random)
  return Array.isArray(value)
    ? value.map((item: unknown, index) => (String(index) === key ? changed : item))
    : { ...value, [key]: changed }
}

function damaged(bytes: Uint8Array, within: number, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes)
  for (let count = 1 + randomBelow(random, 3); count > 0; count--) {
    copy[randomBelow(random, within)] = randomBelow(random, 256)
  }
  return randomBelow(random, 5) === 0 ? copy.subarray(0, randomBelow(random, copy.length)) : copy
}

/** A model of SentencePiece with bytes and special tokens alone, as protocol buffers. */
function sentencePiece(): Buffer {
  const field = (number: number, bytes: Buffer) => Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes])
  const score = Buffer.alloc(5)
  score[0] = 2 * 8 + 5
  const piece = (text: string, type: number) =>
    field(1, Buffer.concat([field(1, Buffer.from(text)), score, Buffer.from([3 * 8, type])]))
  const bytes = Array.from({ length: 256 }, (_, byte) => piece(byteName(byte), 6))
  return Buffer.concat([
    piece('<unk>', 2),
    piece('<s>', 3),
    piece('</s>', 3),
    ...bytes,
    field(2, Buffer.from([3 * 8, 2])),
    field(3, Buffer.from([3 * 8, 1])),
  ])
}

const weights = safetensors(tinyTensors())
const headerLength = 8 + Number(weights.readBigUInt64LE())
const rows = { ...tinyTensors(), 'model.embed_tokens.weight': randomTensor([259, 16]) }
const alone = {
  'model.safetensors': safetensors(rows),
  'tokenizer.json': undefined,
  'tokenizer.model': sentencePiece(),
}

describe.each([
  ['config.json', (random: Random) => ({ 'config.json': mutated(tinyConfig, random) as object })],
  ['tokenizer.json', (random: Random) => ({ 'tokenizer.json': mutated(tinyTokenizer, random) as object })],
  [
    'tokenizer_config.json',
    (random: Random) => ({
      'tokenizer_config.json': mutated(
        { eos_token: 'A', added_tokens_decoder: { 5: { content: 'x' } } },
        random,
      ) as object,
      ...alone,
    }),
  ],
  ['model.safetensors', (random: Random) => ({ 'model.safetensors': damaged(weights, headerLength, random) })],
  ['tokenizer.model', (random: Random) => ({ ...alone, 'tokenizer.model': damaged(sentencePiece(), 4000, random) })],
])('a folder with a damaged %s', (_, change) => {
  it('is refused as such, or gives a file that a load would take', async () => {
    for (let seed = 1; seed <= 120; seed++) {
      const source = await tinySource(directory.path, change(seededRandom(seed)))
      const path = join(source, 'out.gguf')
      const error: unknown = await convert(source, path, { type: 'f32' }).then(
        () => undefined,
        (caught: unknown) => caught,
      )
      if (error === undefined) validateModel(await readGguf(path))
      else if (!(error instanceof LlameroError) || error.code === 'ERR_INTERNAL') {
        throw new Error(`seed ${seed}`, { cause: error })
      }
    }
  })
})

it('the undamaged folders convert', async () => {
  for (const change of [{}, alone]) {
    const source = await tinySource(directory.path, change)
    await convert(source, join(source, 'out.gguf'))
    expect((await stat(join(source, 'out.gguf'))).size).toBeGreaterThan(weights.length / 2)
  }
})
