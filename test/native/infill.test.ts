import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { load, type Model } from '../../lib/index.js'
import { u32 } from '../support/gguf-writer.js'
import { randomModel, type RandomArchitecture, type RandomModelOptions } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { bpeVocabulary, infillMarkers, spmVocabulary } from '../support/tiny-vocabulary.js'

const directory = temporaryDirectory()
const open: Model[] = []
afterAll(() => Promise.all(open.map((model) => model.close())))

async function openModel(architecture: RandomArchitecture, options: RandomModelOptions): Promise<Model> {
  const path = join(directory.path, `${architecture}-${open.length}.gguf`)
  writeFileSync(path, randomModel(architecture, options))
  const model = await load(path, { probe: false, contextSize: 512, threads: 1 })
  open.push(model)
  return model
}

const greedy = { temperature: 0, maxTokens: 6, ignoreEos: true }
const before = 'function add(a, b) {\n  <|im_end|>'
const after = '\n<|fim_middle|>}\n'

/** Both prompts have the same tokens: the second finds all but the last of the first in the cache. */
async function expectSamePrompt(model: Model, tokens: readonly number[]): Promise<void> {
  const expected = await model.generate(tokens, greedy)
  const found = await model.generate(before, { ...greedy, suffix: after })
  expect(found.usage.inputTokens).toBe(tokens.length)
  expect(found.usage.cachedTokens).toBe(tokens.length - 1)
  expect([...found.tokens]).toEqual([...expected.tokens])
}

describe('a prompt with a suffix', () => {
  it("stands between Qwen's marks, and its own text makes none", async () => {
    const vocabulary = bpeVocabulary('qwen2', infillMarkers)
    const model = await openModel('qwen2', { vocabulary })
    const [prefix = 0, suffix = 0, middle = 0] = infillMarkers.map((marker) => vocabulary.id(marker))
    const plain = [await model.tokenize(before), await model.tokenize(after)] as const
    for (const tokens of plain) for (const token of tokens) expect(token).toBeLessThan(prefix - 2)
    expect(model.info.canInfill).toBe(true)
    await expectSamePrompt(model, [prefix, ...plain[0], suffix, ...plain[1], middle])
  })

  it('begins with the suffix where the vocabulary marks no middle, as Codestral has it', async () => {
    const vocabulary = spmVocabulary()
    const [prefix, suffix] = [vocabulary.id('<|endoftext|>'), vocabulary.id('<|im_start|>')]
    const model = await openModel('llama', {
      vocabulary,
      metadata: { 'tokenizer.ggml.prefix_token_id': u32(prefix), 'tokenizer.ggml.suffix_token_id': u32(suffix) },
    })
    const plain = [await model.tokenize(before), await model.tokenize(after)] as const
    await expectSamePrompt(model, [vocabulary.id('<s>'), suffix, ...plain[1], prefix, ...plain[0]])
  })

  it('is refused by a model that has no such marks', async () => {
    const model = await openModel('qwen2', {})
    expect(model.info.canInfill).toBe(false)
    expect(() => model.generate(before, { suffix: after })).toThrow(/does not support insert/)
  })
})
