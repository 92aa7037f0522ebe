import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { convert, type ConvertOptions } from '../../lib/convert/index.js'
import { load, type ModelOptions } from '../../lib/index.js'
import { referenceModels, type ReferenceModels } from './reference-models.js'

/** Plain arithmetic, so that no rounding hides a fault. */
const exactly = { kernels: 'upstream', keyType: 'f32', valueType: 'f32', flashAttention: 'off', parallel: 1 } as const

const decoders: readonly (readonly [rule: string, name: string, options: ModelOptions])[] = [
  ['Llama with biases and a SentencePiece model', 'llama', {}],
  ['Llama 3 in BF16, in parts, with scaled rotations and one matrix for both ends', 'llama3', {}],
  ['SmolLM in F16', 'smollm', {}],
  ['Mistral with a SentencePiece model written as tokenizer.json', 'mistral', {}],
  ['Mistral with a byte-level tokenizer', 'mistral-tekken', {}],
  ['Qwen 2', 'qwen2', {}],
  ['Qwen 2 for long texts', 'qwen2-yarn', {}],
  ['Qwen 3', 'qwen3', {}],
  ['Gemma with tokens that are found before anything is merged', 'gemma', {}],
  ['Gemma 2', 'gemma2', {}],
  ['Gemma 3 with windows in six of seven layers', 'gemma3', {}],
  ['Phi 3', 'phi3', {}],
  // llama.cpp takes the factors for long texts as soon as the context is longer than the original one.
  ['Phi 4 mini with two tables of rotations', 'phi4-mini', { contextSize: 256 }],
  ['EXAONE 3', 'exaone', {}],
  ['EXAONE 4', 'exaone4', {}],
]

let models: ReferenceModels
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llamero-convert-'))
  models = await referenceModels()
}, 15 * 60_000)

afterAll(() => rm(directory, { recursive: true, force: true }))

async function opened(folder: string, name: string, type: ConvertOptions['type'], options: ModelOptions = {}) {
  const path = join(directory, `${name}-${String(type)}.gguf`)
  await convert(folder, path, { type })
  return load(path, { ...exactly, ...options })
}

describe('logits are those of transformers within 1e-3', () => {
  it.each(decoders)('%s', async (_, name, options) => {
    const model = await opened(models.folder(name), name, 'f32', options)
    try {
      for (const { text, tokens, logprobs } of await models.prompts(name)) {
        expect(Array.from(await model.tokenize(text, { addSpecial: true })), text).toEqual(tokens)
        const answer = await model.generate(text, { maxTokens: 1, temperature: 0, logprobs: 20, ignoreEos: true })
        const found = answer.logprobs?.[0] ?? []
        expect(found.length).toBeGreaterThanOrEqual(20)
        const distance = Math.max(...found.map(({ token, logprob }) => Math.abs(logprob - (logprobs?.[token] ?? NaN))))
        expect(distance, text).toBeLessThan(1e-3)
      }
    } finally {
      await model.close()
    }
  })
})

describe('embeddings are those of Sentence Transformers within 1e-3', () => {
  it.each([
    ['of a random BERT', 'bert', 'f32'],
    ['of all-MiniLM-L6-v2', 'minilm', 'auto'],
  ] as const)('%s', async (_, name, type) => {
    const model = await opened(name === 'minilm' ? models.miniLm : models.folder(name), name, type)
    try {
      const prompts = await models.prompts(name)
      const { embeddings } = await model.embed(prompts.map(({ text }) => text))
      expect(prompts.length).toBeGreaterThanOrEqual(name === 'minilm' ? 100 : 5)
      for (const [index, { text, tokens, vector = [] }] of prompts.entries()) {
        expect(Array.from(await model.tokenize(text, { addSpecial: true })), text).toEqual(tokens)
        const cosine = vector.reduce((sum, value, at) => sum + value * (embeddings[index]?.[at] ?? NaN), 0)
        expect(1 - cosine, text).toBeLessThan(1e-3)
      }
    } finally {
      await model.close()
    }
  })
})
