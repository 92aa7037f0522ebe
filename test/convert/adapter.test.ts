import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { convert, convertAdapter } from '../../lib/convert/index.js'
import { load, type Model } from '../../lib/index.js'
import type { ErrorCode } from '../../lib/errors.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { randomTensor, safetensors, tinySource, tinyTensors, type TinyTensor } from './tiny-source.js'

const directory = temporaryDirectory()
const exactly = { kernels: 'upstream', keyType: 'f32', valueType: 'f32', flashAttention: 'off', parallel: 1 } as const
const rank = 2
const targets = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.o_proj', 'mlp.down_proj'] as const
const base = tinyTensors()
let basePath: string

const weightOf = (layer: number, target: string) => `model.layers.${layer}.${target}.weight`
const half = (layer: number, target: string, letter: 'A' | 'B') =>
  `base_model.model.model.layers.${layer}.${target}.lora_${letter}.weight`
const floats = ({ bytes }: TinyTensor) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)

/** Pairs of random matrices for some weights of both layers, by PEFT's names. */
function pairs(): Record<string, TinyTensor> {
  const found: Record<string, TinyTensor> = {}
  for (const layer of [0, 1]) {
    for (const [seed, target] of targets.entries()) {
      const [outputs = 0, inputs = 0] = base[weightOf(layer, target)]!.shape
      found[half(layer, target, 'A')] = randomTensor([rank, inputs], 100 + seed + layer)
      found[half(layer, target, 'B')] = randomTensor([outputs, rank], 200 + seed + layer)
    }
  }
  return found
}

/** The base model with the adapter computed into its weights. */
function merged(scale: number): Record<string, TinyTensor> {
  const all = tinyTensors()
  const halves = pairs()
  for (const layer of [0, 1]) {
    for (const target of targets) {
      const weight = all[weightOf(layer, target)]!
      const [outputs = 0, inputs = 0] = weight.shape
      const [down, up, sum] = [halves[half(layer, target, 'A')]!, halves[half(layer, target, 'B')]!, weight].map(floats)
      for (let row = 0; row < outputs; row++) {
        for (let column = 0; column < inputs; column++) {
          for (let at = 0; at < rank; at++) {
            sum![row * inputs + column]! += scale * up![row * rank + at]! * down![at * inputs + column]!
          }
        }
      }
    }
  }
  return all
}

const settings = { peft_type: 'LORA', r: rank, lora_alpha: 6, bias: 'none', use_dora: false }

function adapterSource(config: object = settings, tensors: Record<string, TinyTensor> = pairs()): Promise<string> {
  return tinySource(directory.path, {
    'config.json': undefined,
    'tokenizer.json': undefined,
    'model.safetensors': undefined,
    'adapter_config.json': config,
    'adapter_model.safetensors': safetensors(tensors),
  })
}

async function convertedModel(tensors: Record<string, TinyTensor>): Promise<string> {
  const folder = await tinySource(directory.path, { 'model.safetensors': safetensors(tensors) })
  await convert(folder, join(folder, 'model.gguf'), { type: 'f32' })
  return join(folder, 'model.gguf')
}

async function scores(model: Model, adapters: Awaited<ReturnType<Model['adapter']>>[] = []) {
  const options = { maxTokens: 1, temperature: 0, logprobs: 20, ignoreEos: true, adapters } as const
  const { logprobs } = await model.generate('Why is the sky blue?', options)
  return new Map(logprobs?.[0]?.map(({ token, logprob }) => [token, logprob]))
}

beforeAll(async () => {
  basePath = await convertedModel(base)
})

describe('an adapter of PEFT', () => {
  it.each([
    ['divided by the rank', {}, 6 / rank],
    ['divided by the root of the rank', { use_rslora: true }, 6 / Math.sqrt(rank)],
  ])('does what its matrices do inside the weights, %s', async (_, change, scale) => {
    const folder = await adapterSource({ ...settings, ...change })
    const path = join(folder, 'adapter.gguf')
    const result = await convertAdapter(folder, basePath, path)
    expect(result).toMatchObject({ architecture: 'llama', pairs: 8 })
    const whole = await load(await convertedModel(merged(scale)), exactly)
    const model = await load(basePath, exactly)
    try {
      const expected = await scores(whole)
      const found = await scores(model, [await model.adapter(path)])
      const plain = await scores(model)
      for (const [token, logprob] of found) expect(Math.abs(logprob - (expected.get(token) ?? NaN))).toBeLessThan(1e-3)
      expect([...plain.keys()]).not.toEqual([...expected.keys()])
    } finally {
      await model.close()
      await whole.close()
    }
  })

  it.each<readonly [string, object, Record<string, TinyTensor> | undefined, RegExp, ErrorCode]>([
    ['DoRA', { use_dora: true }, undefined, /'use_dora'/, 'ERR_UNSUPPORTED'],
    ['another method', { peft_type: 'IA3' }, undefined, /'peft_type'/, 'ERR_UNSUPPORTED'],
    ['trained biases', { bias: 'all' }, undefined, /'bias'/, 'ERR_UNSUPPORTED'],
    ['whole modules', { modules_to_save: ['lm_head'] }, undefined, /'modules_to_save'/, 'ERR_UNSUPPORTED'],
    ['scales of its own for some', { alpha_pattern: { q_proj: 3 } }, undefined, /'alpha_pattern'/, 'ERR_UNSUPPORTED'],
    ['no scale', { lora_alpha: null }, undefined, /'lora_alpha' is missing/, 'ERR_MODEL_INVALID'],
    ['another rank than it says', { r: 4 }, undefined, /not of the rank 4/, 'ERR_MODEL_INVALID'],
    [
      'a tensor that is no half',
      {},
      { 'base_model.model.x.weight': randomTensor([2, 2]) },
      /no half/,
      'ERR_UNSUPPORTED',
    ],
    [
      'one half alone',
      {},
      { [half(0, 'self_attn.q_proj', 'A')]: randomTensor([2, 16]) },
      /lacks its '.lora_b'/,
      'ERR_MODEL_INVALID',
    ],
    [
      'another width than the base model',
      {},
      {
        [half(0, 'self_attn.o_proj', 'A')]: randomTensor([2, 32]),
        [half(0, 'self_attn.o_proj', 'B')]: randomTensor([32, 2]),
      },
      /do not fit/,
      'ERR_MODEL_REJECTED',
    ],
  ])('with %s is refused', async (_, change, tensors, about, code) => {
    const folder = await adapterSource({ ...settings, ...change }, tensors ?? pairs())
    const call = convertAdapter(folder, basePath, join(folder, 'adapter.gguf'))
    await expect(call).rejects.toMatchObject({ code, message: expect.stringMatching(about) })
  })
})
