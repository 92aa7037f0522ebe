import { mkdtempSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { load, LlameroError } from '../../lib/index.js'
import { defaultModelsDirectory } from '../../lib/runtime/index.js'
import { type RandomArchitecture, type RandomModelOptions, writeRandomModel } from '../support/random-model.js'
import { predict } from '../support/script.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { testStore, smollm2Path } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const probeDirectory = join(directory.path, 'probes')
const modelsDirectory = join(directory.path, 'models')

async function scripted(): Promise<string> {
  const path = join(mkdtempSync(join(directory.path, 'model-')), 'scripted.gguf')
  await writeScriptedModel(path)
  return path
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof LlameroError ? error.code : `no LlameroError but ${String(error)}`
}

const without = (names: RegExp): RandomModelOptions => ({
  change: (tensor) => (names.test(tensor.name) ? undefined : tensor),
})

describe('load', () => {
  it('opens a file by its path and remembers that it passed the probe', async () => {
    const path = await scripted()
    const model = await load(path, { probeDirectory, contextSize: 512 })
    const { text } = await model.generate('K3 go', { maxTokens: 8, temperature: 0 })
    await model.close()
    expect(text).toBe(predict('K3 go', { maxTokens: 8 }).text)
    expect(readdirSync(probeDirectory)).toHaveLength(1)
  })

  it('opens a draft model beside it, checked and found like the model', async () => {
    const [path, draft] = [await scripted(), await scripted()]
    const model = await load(path, { draft, probeDirectory, contextSize: 512 })
    const options = { maxTokens: 20, temperature: 0, speculation: { adaptive: false, maxTokens: 4 } }
    const { text, usage } = await model.generate('K3 go', options)
    const { draftModelSteps } = model.metrics()
    await model.close()
    expect(text).toBe(predict('K3 go', { maxTokens: 20 }).text)
    expect(usage.acceptedTokens).toBeGreaterThan(10)
    expect(draftModelSteps).toBeGreaterThan(10)
    expect(await codeOf(load(path, { draft: 'nobody:knows', modelsDirectory, probeDirectory }))).toBe(
      'ERR_MODEL_NOT_FOUND',
    )
  })

  describe('with a trained head', () => {
    const probes = join(directory.path, 'head-probes')
    const options = { mtp: true, probeDirectory: probes, contextSize: 512 }
    const written = (name: string, architecture: RandomArchitecture, random: RandomModelOptions = {}) =>
      writeRandomModel(join(directory.path, name), architecture, random)

    it('opens the model, once the probe has tried both', async () => {
      const path = await written('head.gguf', 'qwen35')
      const answer = { maxTokens: 20, temperature: 0, ignoreEos: true }
      const model = await load(path, options)
      const { usage } = await model.generate('Once', { ...answer, speculation: { adaptive: false, maxTokens: 3 } })
      const { draftModelSteps } = model.metrics()
      await model.close()
      expect(usage.draftTokens).toBeGreaterThan(20)
      expect(draftModelSteps).toBeGreaterThanOrEqual(usage.draftTokens)
      const plain = await load(path, { ...options, mtp: false })
      expect((await plain.generate('Once', { ...answer, speculation: true })).usage.draftTokens).toBe(0)
      await plain.close()
      expect(readdirSync(probes)).toHaveLength(2)
    })

    it.each<[string, RandomArchitecture, RandomModelOptions, string, RegExp]>([
      ['no head', 'llama', {}, 'ERR_UNSUPPORTED', /the model's file has none.*`mtp`/],
      ['a head that was left out', 'glm4moe', without(/nextn|^blk\.2/), 'ERR_UNSUPPORTED', /left out of the file/],
      ['a head alone', 'qwen35', without(/^blk\.0\.attn_norm/), 'ERR_MODEL_REJECTED', /not the model itself/],
    ])('refuses a file with %s', async (name, architecture, random, code, message) => {
      const path = await written(`${name}.gguf`, architecture, random)
      const error: unknown = await load(path, options).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code })
      expect((error as LlameroError).message).toMatch(message)
    })

    it('opens one that lies in a file of its own, tried with its model', async () => {
      const [path, draft] = [
        await written('trunk.gguf', 'qwen3', { layers: 4 }),
        await written('eagle.gguf', 'eagle3', { layers: 1 }),
      ]
      const known = readdirSync(probes).length
      const model = await load(path, { ...options, mtp: false, draft })
      const answer = { maxTokens: 20, temperature: 0, ignoreEos: true, speculation: { adaptive: false, maxTokens: 3 } }
      expect((await model.generate('Once', answer)).usage.draftTokens).toBeGreaterThan(20)
      expect(model.info.draft?.description).toMatch(/eagle3/)
      const session = await model.session()
      await session.chat('Why?', { maxTokens: 8 })
      const saved = join(directory.path, 'head.session')
      await session.save(saved)
      await model.close()
      expect(readdirSync(probes)).toHaveLength(known + 2)
      const bare = await load(path, { ...options, mtp: false })
      expect(await codeOf(bare.session({ restore: saved }))).toBe('ERR_STATE_MISMATCH')
      await bare.close()
      const again = await load(path, { ...options, mtp: false, draft })
      const restored = await again.session({ restore: saved })
      expect((await restored.chat('And?', { maxTokens: 4 })).usage.cachedTokens).toBeGreaterThan(8)
      await again.close()
    })

    it('refuses a draft model beside it', async () => {
      const path = await written('with-draft.gguf', 'qwen35')
      expect(await codeOf(load(path, { ...options, draft: path, probe: false }))).toBe('ERR_OPTION_INVALID')
    })
  })

  it('says how to fetch a model that the store lacks', async () => {
    const loading = load('smollm2:135m', { modelsDirectory, probeDirectory })
    await expect(loading).rejects.toThrow(/llamero pull smollm2:135m/)
    const pull = { variables: { HTTPS_PROXY: 'http://127.0.0.1:9' }, retry: { attempts: 1 } }
    expect(await codeOf(load('nobody:knows', { modelsDirectory, pull }))).toBe('ERR_REGISTRY')
  })

  it('opens a model of the store by its name', async () => {
    await smollm2Path()
    const store = testStore()
    const model = await load('smollm2:135m', { modelsDirectory: store.directory, probeDirectory, contextSize: 512 })
    const { text, usage } = await model.chat('What is the capital of France?', { maxTokens: 8, temperature: 0 })
    await model.close()
    expect(text.length).toBeGreaterThan(0)
    expect(usage.inputTokens).toBe(37)
  })

  it.each([
    ['a missing file', 'missing.gguf', undefined, 'ERR_MODEL_NOT_FOUND'],
    ['an empty file', 'empty.gguf', '', 'ERR_MODEL_INVALID'],
    ['a text file', 'text.gguf', 'Once upon a time '.repeat(100), 'ERR_MODEL_INVALID'],
    ['only the magic', 'magic.gguf', 'GGUF', 'ERR_MODEL_INVALID'],
  ])('refuses %s', async (_, name, content, code) => {
    const path = content === undefined ? join(directory.path, name) : await directory.write(name, content)
    expect(await codeOf(load(path, { probeDirectory }))).toBe(code)
  })

  it('refuses a folder', async () => {
    expect(await codeOf(load(`${directory.path}/`, { probeDirectory }))).toBe('ERR_MODEL_INVALID')
  })

  it('rejects with the reason of its signal', async () => {
    const reason = new Error('changed my mind')
    await expect(load(await scripted(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const loading = load(await scripted(), { signal: controller.signal, probeDirectory: join(directory.path, 'other') })
    setTimeout(() => {
      controller.abort(reason)
    }, 50)
    await expect(loading).rejects.toBe(reason)
  })
})

describe('defaultModelsDirectory', () => {
  it.each([
    [{ LLAMERO_MODELS: '/a', OLLAMA_MODELS: '/b' }, '/a'],
    [{ LLAMERO_MODELS: ' ', OLLAMA_MODELS: '/b' }, '/b'],
  ])('%o is %s', (environment, expected) => {
    expect(defaultModelsDirectory(environment)).toBe(expected)
  })

  it("is llamero's own folder or Ollama's if no variable is set", () => {
    expect(defaultModelsDirectory()).toMatch(/[/\\]\.(llamero|ollama)[/\\]models$/)
  })
})
