import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { metadataOverrides, readGguf, type MetadataOverrides } from '../../lib/gguf/index.js'
import { load, quantize } from '../../lib/index.js'
import { nativeAddon } from '../../lib/native.js'
import { loadRawModel } from '../native/raw-engine.js'
import { tokenize, vocabularyCases, vocabularyPath } from '../native/vocabulary-file.js'
import { f32 } from '../support/gguf-writer.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const probeDirectory = join(directory.path, 'probes')

/** Llama 3's vocabulary without the key that names its pre-tokenizer, as older models of Ollama's library have it. */
async function withoutPreTokenizer(): Promise<string> {
  const bytes = await readFile(vocabularyPath('llama-bpe'))
  const key = Buffer.from('tokenizer.ggml.pre')
  const at = bytes.indexOf(key)
  expect(at).toBeGreaterThan(0)
  bytes.write('tokenizer.ggml.xyz', at)
  expect(bytes.indexOf(key)).toBe(-1)
  return directory.write('llama-3.gguf', bytes)
}

async function wrongOnes(path: string, overrides: MetadataOverrides): Promise<string[]> {
  const model = await loadRawModel(path, true, overrides)
  const wrong: string[] = []
  for (const { input, tokens } of vocabularyCases('llama-bpe'))
    if (String(await tokenize(model, input)) !== String(tokens)) wrong.push(input)
  nativeAddon().modelClose(model)
  return wrong
}

describe('a model of Ollama whose metadata llama.cpp misreads', () => {
  it("has llama.cpp's own tokens for Llama 3 where the pre-tokenizer is not named", async () => {
    const path = await withoutPreTokenizer()
    expect(await wrongOnes(path, [])).not.toEqual([])
    expect(await wrongOnes(path, metadataOverrides(await readGguf(path)))).toEqual([])
  })

  const gemma = { rotation: f32(3_000), slidingRotation: f32(20) }
  const epsilon = 'gemma3.attention.layer_norm_rms_epsilon'
  const usual = randomModel('gemma3', {
    metadata: {
      [epsilon]: f32(1e-6),
      'gemma3.rope.freq_base': gemma.rotation,
      'gemma3.rope.freq_base_swa': gemma.slidingRotation,
    },
  })
  const ofOllama = randomModel('gemma3', {
    metadata: {
      [epsilon]: undefined,
      'gemma3.rope.freq_base': undefined,
      'gemma3.rope.global.freq_base': gemma.rotation,
      'gemma3.rope.local.freq_base': gemma.slidingRotation,
    },
  })
  const answerOf = async (path: string, draft?: string): Promise<string> => {
    const model = await load(path, { probeDirectory, contextSize: 256, threads: 1, draft })
    try {
      const settings = { maxTokens: 24, temperature: 0, ignoreEos: true }
      return (await model.generate('a b c d e f', settings)).text
    } finally {
      await model.close()
    }
  }

  it('is told what it leaves out, when it is tried and when it is loaded', async () => {
    const path = await directory.write('ollama.gguf', ofOllama)
    await expect(loadRawModel(path)).rejects.toThrow(/layer_norm_rms_epsilon/)
    expect(await answerOf(path)).toBe(await answerOf(await directory.write('usual.gguf', usual)))
  })

  it('is told so of a draft model too', async () => {
    const path = await directory.write('ollama.gguf', ofOllama)
    await expect(answerOf(path, path)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED', message: /sliding/ })
  })

  it('is written as llama.cpp has it when it is quantized', async () => {
    const [source, target] = [await directory.write('ollama.gguf', ofOllama), join(directory.path, 'target.gguf')]
    await quantize(source, target, { type: 'copy', probeDirectory })
    const made = await readGguf(target)
    expect(made.metadata.get('gemma3.rope.freq_base')).toEqual({ type: 'float32', value: 3_000 })
    expect(metadataOverrides(made)).toEqual([])
    expect(await answerOf(target)).toBe(await answerOf(source))
  })
})
