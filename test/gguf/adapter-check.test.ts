import { describe, expect, it } from 'vitest'
import { LlameroError, type ErrorCode } from '../../lib/errors.js'
import { adapterBase, checkControlVector, checkLora, readGguf, type GgufFile } from '../../lib/gguf/index.js'
import { array, f32, text, u32, writeGguf, type WriterTensor, type WriterValue } from '../support/gguf-writer.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { loraFile, tinyLora } from '../support/tiny-lora.js'
import { spmVocabulary } from '../support/tiny-vocabulary.js'
import { mutate } from './mutants.js'

const directory = temporaryDirectory()
const query = 'blk.0.attn_q.weight'
const lora = tinyLora({ [query]: [64, 64], 'token_embd.weight': [64, spmVocabulary().tokens.length] })

async function read(bytes: Uint8Array): Promise<GgufFile> {
  return readGguf(await directory.write('adapter.gguf', bytes))
}

async function base(change?: (tensor: WriterTensor) => WriterTensor) {
  return adapterBase(await read(randomModel('llama', change && { change })))
}

async function refusal(check: () => unknown): Promise<LlameroError> {
  try {
    await check()
  } catch (error) {
    if (error instanceof LlameroError) return error
    throw error
  }
  throw new Error('the file was accepted')
}

/** Changes one tensor of a file by the end of its name. */
const withTensor = (name: string, change: Partial<WriterTensor>) => (tensors: WriterTensor[]) =>
  tensors.map((tensor) => (tensor.name.endsWith(name) ? { ...tensor, ...change } : tensor))
const without = (name: string) => (tensors: WriterTensor[]) => tensors.filter((tensor) => !tensor.name.endsWith(name))
const halfA = `${query}.lora_a`
const floats = (count: number) => new Float32Array(count)

type Case = readonly [
  rule: string,
  about: RegExp,
  code: ErrorCode,
  metadata: Readonly<Record<string, WriterValue | undefined>>,
  change?: (tensors: WriterTensor[]) => WriterTensor[],
]

describe('a LoRA file', () => {
  it('is accepted with what it says of itself', async () => {
    const metadata = { 'adapter.alora.invocation_tokens': array('uint32', [7, 9]) }
    const ignored: WriterTensor = { name: 'blk.0.attn_norm.weight', dimensions: [64], data: floats(64) }
    const file = await read(loraFile(lora, metadata, (tensors) => [...tensors, ignored]))
    expect(checkLora(file, await base())).toEqual({
      name: 'Tiny adapter',
      architecture: 'llama',
      sizeBytes: 4 * (2 * 4 * 64 + 4 * (64 + 357) + 64),
      invocationTokens: [7, 9],
    })
  })

  const cases: readonly Case[] = [
    ['is no model', /'model'; 'adapter' was expected/, 'ERR_MODEL_INVALID', { 'general.type': text('model') }],
    ['says its kind', /'general.type' is missing/, 'ERR_MODEL_INVALID', { 'general.type': undefined }],
    ['says its kind as text', /'general.type' is a uint32/, 'ERR_MODEL_INVALID', { 'general.type': u32(1) }],
    ['is of the type lora', /'adapter.type' is 'dora'/, 'ERR_MODEL_INVALID', { 'adapter.type': text('dora') }],
    ['says its type as text', /'adapter.type' is a float32/, 'ERR_MODEL_INVALID', { 'adapter.type': f32(1) }],
    [
      'is for the architecture',
      /architecture 'qwen2'/,
      'ERR_MODEL_REJECTED',
      { 'general.architecture': text('qwen2') },
    ],
    ['says its architecture as text', /a uint32/, 'ERR_MODEL_INVALID', { 'general.architecture': u32(0) }],
    ['has a number as alpha', /alpha' is a string/, 'ERR_MODEL_INVALID', { 'adapter.lora.alpha': text('8') }],
    ['has a finite alpha', /alpha' is NaN/, 'ERR_MODEL_INVALID', { 'adapter.lora.alpha': f32(NaN) }],
    [
      'has whole numbers as invocation tokens',
      /invocation_tokens' is an array of float32/,
      'ERR_MODEL_INVALID',
      { 'adapter.alora.invocation_tokens': array('float32', [1]) },
    ],
    ['has pairs', /no pairs/, 'ERR_MODEL_INVALID', {}, () => []],
    ['has both halves of a pair: a', /lacks its '.lora_a'/, 'ERR_MODEL_INVALID', {}, without(halfA)],
    ['has both halves of a pair: b', /lacks its '.lora_b'/, 'ERR_MODEL_INVALID', {}, without(`${query}.lora_b`)],
    ['names halves', /no half of a pair/, 'ERR_MODEL_INVALID', {}, withTensor(halfA, { name: query })],
    [
      'names each half once',
      /no half of a pair/,
      'ERR_MODEL_INVALID',
      {},
      withTensor(halfA, { name: `${query}.lora_a.lora_a` }),
    ],
    [
      'changes tensors that the model has',
      /no tensor 'blk.9.attn_q.weight'/,
      'ERR_MODEL_REJECTED',
      {},
      (tensors) => tensors.map((tensor) => ({ ...tensor, name: tensor.name.replace('blk.0', 'blk.9') })),
    ],
    [
      'changes matrices',
      /'output_norm.weight' is no matrix/,
      'ERR_MODEL_REJECTED',
      {},
      (tensors) => tensors.map((tensor) => ({ ...tensor, name: tensor.name.replace(query, 'output_norm.weight') })),
    ],
    [
      'takes as many inputs as the matrix',
      /do not fit/,
      'ERR_MODEL_REJECTED',
      {},
      withTensor(halfA, { dimensions: [32, 4], data: floats(128) }),
    ],
    [
      'has one rank in a pair',
      /do not fit/,
      'ERR_MODEL_REJECTED',
      {},
      withTensor(halfA, { dimensions: [64, 8], data: floats(512) }),
    ],
    [
      'has no further dimensions',
      /64 x 4 x 2 x 1/,
      'ERR_MODEL_REJECTED',
      {},
      withTensor(halfA, { dimensions: [64, 4, 2], data: floats(512) }),
    ],
    [
      'has one rank over the embedding',
      /do not fit 'token_embd.weight'/,
      'ERR_MODEL_REJECTED',
      {},
      withTensor('token_embd.weight.lora_a', { dimensions: [8, 357], data: floats(8 * 357) }),
    ],
    [
      'has types that llama.cpp multiplies with',
      /has the type I32/,
      'ERR_UNSUPPORTED',
      {},
      withTensor(halfA, { type: 26 }),
    ],
  ]
  for (const [rule, about, code, metadata, change] of cases) {
    it(rule, async () => {
      const model = await base()
      const file = await read(loraFile(lora, metadata, change))
      const error = await refusal(() => checkLora(file, model))
      expect(error.message).toMatch(about)
      expect(error.code).toBe(code)
    })
  }

  it('may not change an embedding that is the output too, nor what is of type NVFP4', async () => {
    const { tensors, ...rest } = await base()
    const file = await read(loraFile(lora))
    const tied = { ...rest, tensors: new Map([...tensors].filter(([name]) => name !== 'output.weight')) }
    expect((await refusal(() => checkLora(file, tied))).message).toMatch(/as its output too/)
    const packed = {
      ...rest,
      tensors: new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, type: 'NVFP4' }])),
    }
    expect((await refusal(() => checkLora(file, packed))).message).toMatch(/NVFP4/)
  })

  it('of the other byte order is refused', async () => {
    const file = await read(loraFile(lora, {}, undefined, { littleEndian: false }))
    const model = await base()
    expect((await refusal(() => checkLora(file, model))).message).toMatch(/endian/)
  })

  it('damaged anywhere is refused or fits', async () => {
    const model = await base()
    const bytes = loraFile(lora)
    for (let seed = 0; seed < 300; seed++) {
      try {
        checkLora(await read(mutate(bytes, seed)), model)
      } catch (error) {
        expect(error, `seed ${seed}`).toBeInstanceOf(LlameroError)
      }
    }
  })
})

describe('the file of a control vector', () => {
  const vector = (name: string, tensor: Partial<WriterTensor> = {}, metadata = {}): Uint8Array =>
    writeGguf({
      metadata: { 'general.architecture': text('controlvector'), ...metadata },
      tensors: [{ name, dimensions: [64], data: floats(64), ...tensor }],
    })

  it('is accepted with its directions by layer', async () => {
    const [direction] = checkControlVector(await read(vector('direction.1')), await base())
    expect(direction).toMatchObject({ layer: 1, tensor: { elements: 64 } })
  })

  it.each<readonly [string, RegExp, ErrorCode, Uint8Array]>([
    ['names directions', /no direction/, 'ERR_MODEL_INVALID', vector('blk.0.attn_q.weight')],
    ['names layers by number', /no direction/, 'ERR_MODEL_INVALID', vector('direction.one')],
    ['has directions', /no directions/, 'ERR_MODEL_INVALID', writeGguf({ metadata: { a: text('b') } })],
    ['has no layer 0', /layers 1 to 1/, 'ERR_MODEL_REJECTED', vector('direction.0')],
    ['has layers that the model has', /layers 1 to 1/, 'ERR_MODEL_REJECTED', vector('direction.2')],
    ['is as wide as the model', /64 for each/, 'ERR_MODEL_REJECTED', vector('direction.1', { dimensions: [32] })],
    ['has F32', /type F16/, 'ERR_MODEL_INVALID', vector('direction.1', { type: 1 })],
    ['has vectors', /shape 8 x 8/, 'ERR_MODEL_INVALID', vector('direction.1', { dimensions: [8, 8] })],
    [
      'is for the architecture',
      /'gemma'/,
      'ERR_MODEL_REJECTED',
      vector('direction.1', {}, { 'controlvector.model_hint': text('gemma') }),
    ],
  ])('%s', async (_rule, about, code, bytes) => {
    const model = await base()
    const file = await read(bytes)
    const error = await refusal(() => checkControlVector(file, model))
    expect(error.message).toMatch(about)
    expect(error.code).toBe(code)
  })
})
