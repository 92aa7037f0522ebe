import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withModel } from '../../bench/opened.js'
import { writeRandomLlama, type LlamaShape } from '../../bench/random-llama.js'
import { readGguf, summarizeModel, validateModel } from '../../lib/gguf/index.js'
import { smollm2Path } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const small: LlamaShape = { layers: 2, width: 128, heads: 4, keyHeads: 2, feedForward: 256 }

describe('a model of random weights for the bench', () => {
  const folder = temporaryDirectory()

  async function written(shape: LlamaShape): Promise<string> {
    const path = join(folder.path, `${shape.layers}x${shape.width}.gguf`)
    await writeRandomLlama(path, shape, await smollm2Path())
    return path
  }

  it('is a model with the vocabulary of another and the types of SmolLM2', async () => {
    const path = await written(small)
    const file = await readGguf(path)
    expect(() => {
      validateModel(file)
    }).not.toThrow()
    expect(summarizeModel(file)).toMatchObject({ architecture: 'llama', quantization: 'Q4_1' })
    expect(new Set(file.tensors.map(({ type }) => type))).toEqual(new Set(['F32', 'Q4_1', 'Q8_0']))
  })

  it('computes: a prompt decides on the words, and nothing grows without bounds', async () => {
    await withModel(await written(small), { contextSize: 256 }, async (model) => {
      const answer = (prompt: string) => model.generate(prompt, { temperature: 0, ignoreEos: true, maxTokens: 16 })
      const [one, again, other] = [await answer('One ship.'), await answer('One ship.'), await answer('Seven letters.')]
      expect(one.usage.outputTokens).toBe(16)
      expect(again.tokens).toEqual(one.tokens)
      expect(other.tokens).not.toEqual(one.tokens)
    })
  })
})
