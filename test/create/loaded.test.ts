import { chmodSync, mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { create } from '../../lib/create/index.js'
import type { Model } from '../../lib/model/index.js'
import { load, type LoadOptions } from '../../lib/runtime/index.js'
import { mediaTypes, Store } from '../../lib/store/index.js'
import { randomModel, type RandomModelOptions } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { loraFile, tinyLora } from '../support/tiny-lora.js'

const temporary = temporaryDirectory()
const open: Model[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((model) => model.close()))
})

const lora = loraFile(tinyLora({ 'blk.0.attn_q.weight': [64, 64], 'output.weight': [64, 357] }, { strength: 2 }))

async function shop(modelfile: string) {
  const root = mkdtempSync(join(temporary.path, 'loaded-'))
  const directory = join(root, 'work')
  mkdirSync(directory)
  writeFileSync(join(directory, 'weights.gguf'), randomModel('llama'))
  writeFileSync(join(directory, 'draft.gguf'), randomModel('llama'))
  writeFileSync(join(directory, 'head.gguf'), randomModel('qwen35'))
  const change: RandomModelOptions['change'] = (tensor) => (/nextn|^blk\.2/.test(tensor.name) ? undefined : tensor)
  writeFileSync(join(directory, 'headless.gguf'), randomModel('glm4moe', { change }))
  writeFileSync(join(directory, 'trunk.gguf'), randomModel('qwen3', { layers: 4 }))
  writeFileSync(join(directory, 'eagle.gguf'), randomModel('eagle3', { layers: 1 }))
  writeFileSync(join(directory, 'adapter.gguf'), lora)
  const store = new Store({ directory: join(root, 'models') })
  await create(store, 'mine', modelfile, { directory })
  const opened = async (options: LoadOptions = {}, name = 'mine') => {
    const model = await load(name, { modelsDirectory: store.directory, probe: false, contextSize: 512, ...options })
    open.push(model)
    return model
  }
  return { store, directory, opened }
}

describe('a model that is loaded from the store', () => {
  it('begins conversations with its instructions and messages', async () => {
    const { opened } = await shop('FROM weights.gguf\nSYSTEM Terse.\nMESSAGE user Hi\nMESSAGE assistant Yes?\n')
    const model = await opened()
    const history = '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n'
    const question = '<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n'
    const whole = `<|im_start|>system\nTerse.<|im_end|>\n${history}${question}`
    expect(await model.template('Why?')).toBe(whole)
    expect(
      await model.template([
        { role: 'system', content: 'Kind.' },
        { role: 'user', content: 'Why?' },
      ]),
    ).toBe(`${history}<|im_start|>system\nKind.<|im_end|>\n${question}`)
    const { usage } = await model.chat('Why?', { maxTokens: 1 })
    expect(usage.inputTokens).toBe(await model.countTokens([{ role: 'user', content: 'Why?' }]))
    const session = await model.session()
    expect(session.messages.map(({ content }) => content)).toEqual(['Terse.', 'Hi', 'Yes?'])
    const own = await model.session({ system: 'Kind.' })
    expect(own.messages.map(({ content }) => content)).toEqual(['Hi', 'Yes?', 'Kind.'])
  })

  it('has its parameters where the caller gives none, in sessions too', async () => {
    const { opened } = await shop('FROM weights.gguf\nPARAMETER num_predict 3\nPARAMETER num_ctx 99999\n')
    const model = await opened({ contextSize: undefined })
    expect(model.info.contextSize).toBe(2048)
    const answer = (options: object = {}) => model.chat('Why?', { ignoreEos: true, ...options })
    expect((await answer()).usage.outputTokens).toBe(3)
    expect((await answer({ maxTokens: undefined })).usage.outputTokens).toBe(3)
    expect((await answer({ maxTokens: 5 })).usage.outputTokens).toBe(5)
    const session = await model.session()
    expect((await session.chat('Why?', { ignoreEos: true })).usage.outputTokens).toBe(3)
    expect((await opened({ contextSize: 256 })).info.contextSize).toBe(256)
  })

  it('looks back over its whole context where a parameter says more', async () => {
    const { opened } = await shop('FROM weights.gguf\nPARAMETER repeat_last_n 16384\nPARAMETER num_keep 9999\n')
    const model = await opened({ contextSize: 256 })
    expect((await model.chat('Why?', { maxTokens: 2, ignoreEos: true })).usage.outputTokens).toBe(2)
  })

  it('answers with its adapter unless others are chosen', async () => {
    const { directory, opened } = await shop('FROM weights.gguf\nADAPTER adapter.gguf\n')
    const model = await opened()
    const bare = await opened({}, join(directory, 'weights.gguf'))
    const adapter = await bare.adapter(join(directory, 'adapter.gguf'))
    const words = async (of: Model, adapters?: []) =>
      (await of.generate('Once', { temperature: 0, ignoreEos: true, maxTokens: 12, adapters })).text
    const changed = (
      await bare.generate('Once', { temperature: 0, ignoreEos: true, maxTokens: 12, adapters: [adapter] })
    ).text
    expect(changed).not.toBe(await words(bare))
    expect(await words(model)).toBe(changed)
    expect(await words(model, [])).toBe(await words(bare))
    const session = await model.session()
    const plain = await (await bare.session({ adapters: [adapter] })).chat('Why?', { temperature: 0, maxTokens: 12 })
    expect((await session.chat('Why?', { temperature: 0, maxTokens: 12 })).text).toBe(plain.text)
  })

  it('proposes tokens with its draft model, which may be told not to', async () => {
    const { opened } = await shop('FROM weights.gguf\nDRAFT draft.gguf\n')
    const model = await opened()
    const drafted = async (options: object = {}) =>
      (await model.generate('Once', { temperature: 0, ignoreEos: true, maxTokens: 40, ...options })).usage.draftTokens
    expect(await drafted()).toBeGreaterThan(0)
    expect(await drafted({ speculation: false })).toBe(0)
  })

  it('proposes as many tokens as draft_num_predict says, with its draft model or its trained head', async () => {
    const drafted = async (model: Model) => {
      const { usage } = await model.generate('Once', { temperature: 0, ignoreEos: true, maxTokens: 60 })
      return { proposes: usage.draftTokens > 0, asks: model.metrics().draftModelSteps > 0 }
    }
    const silent = await shop('FROM weights.gguf\nDRAFT draft.gguf\nPARAMETER draft_num_predict 0\n')
    expect(await drafted(await silent.opened())).toEqual({ proposes: false, asks: false })
    const head = await shop('FROM head.gguf\nPARAMETER draft_num_predict 3\n')
    expect(await drafted(await head.opened())).toEqual({ proposes: true, asks: true })
    const alone = await shop('FROM trunk.gguf\nDRAFT eagle.gguf\n')
    expect(await drafted(await alone.opened())).toEqual({ proposes: true, asks: true })
    // What can't be used and only the parameters ask for is left out; what is named counts before what is brought along.
    const lacking = await shop('FROM headless.gguf\nPARAMETER draft_num_predict 3\n')
    expect((await drafted(await lacking.opened())).asks).toBe(false)
    await expect(lacking.opened({ mtp: true })).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    const other = join(head.directory, 'head.gguf')
    await expect(head.opened({ draft: other })).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    const both = await shop('FROM head.gguf\nDRAFT trunk.gguf\n')
    expect((await both.opened({ mtp: true })).info.draft).toBeUndefined()
    const unset = await shop('FROM head.gguf\n')
    expect(await drafted(await unset.opened({ mtp: true }))).toEqual({ proposes: false, asks: false })
    expect(await drafted(await unset.opened())).toEqual({ proposes: false, asks: false })
  })

  it('is refused with a draft model that was cut short, and says what to do', async () => {
    const { store, opened } = await shop('FROM weights.gguf\nDRAFT draft.gguf\n')
    const { layers } = await store.show('mine')
    const draft = layers.find(({ mediaType }) => mediaType === mediaTypes.draft)
    if (draft === undefined) throw new Error('there is no draft model')
    const path = store.blobs.path(draft.digest)
    chmodSync(path, 0o644)
    truncateSync(path, draft.size - 1)
    await expect(opened()).rejects.toMatchObject({
      code: 'ERR_STORE',
      message: expect.stringMatching(/^The model mine:latest is damaged: .*Pull .* or make it again/) as string,
    })
  })

  it('is refused with parameters that cannot be, by name', async () => {
    const { store, opened } = await shop('FROM weights.gguf\n')
    const { layers } = await store.show('mine')
    const params = await store.addLayer(mediaTypes.params, JSON.stringify({ temperature: -3, unknown: 1 }))
    await store.createModel('odd', { layers: [...layers, params] })
    await expect(opened({}, 'odd')).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
      message: expect.stringMatching(
        /^What the model brings along is not valid: .*temperature.*llamero create/,
      ) as string,
    })
  })
})
