import { describe, expect, it } from 'vitest'
import { openModel, type Adapter, type AdapterJudge, type GenerateOptions, type Model } from '../../lib/model/index.js'
import { createFakeAddon, type FakeAddon } from '../support/fake-addon.js'
import { openFake } from '../support/fake-model.js'

const facts = { name: 'tiny', architecture: 'llama', sizeBytes: 8, invocationTokens: [], digest: 'd' }
const judge: AdapterJudge = {
  lora: async () => facts,
  controlVector: async () => ({ name: 'file.gguf', directions: { 1: [1, 2] } }),
}
const info = { layers: 3, embeddingSize: 2 }
const invalid = expect.objectContaining({ code: 'ERR_OPTION_INVALID' }) as unknown

async function open(adapterJudge: AdapterJudge = judge): Promise<{ model: Model; addon: FakeAddon }> {
  const addon = createFakeAddon({ info })
  return { addon, model: await openModel({ path: 'x', adapterJudge }, {}, addon) }
}

describe('the option adapters', () => {
  it('takes adapters alone, which count with the scale 1, or with a scale', async () => {
    const { model, addon } = await open()
    const [one, two] = [await model.adapter('one.gguf'), await model.controlVector('two.gguf')]
    await model.generate('x', { adapters: [one, { adapter: two, scale: -0.5 }] })
    await model.generate('x', { adapters: [{ adapter: two }] })
    await model.chat('x')
    const scales = addon.engine().requests.map(({ adapters }) => adapters.map(({ scale }) => scale))
    expect(scales).toEqual([[1, -0.5], [1], []])
  })

  it.each<[string, (adapter: Adapter, other: Adapter) => unknown]>([
    ['an adapter twice', (adapter) => [adapter, { adapter, scale: 2 }]],
    ['a scale beyond 100', (adapter) => [{ adapter, scale: 100.5 }]],
    ['a scale that is no number', (adapter) => [{ adapter, scale: NaN }]],
    ['a field it does not know', (adapter) => [{ adapter, strength: 1 }]],
    ['an adapter outside an array', (adapter) => adapter],
    ['an adapter of another model', (_adapter, other) => [other]],
  ])('refuses %s', async (_title, adapters) => {
    const { model } = await open()
    const adapter = await model.adapter('one.gguf')
    const other = await (await open()).model.adapter('one.gguf')
    const options = { adapters: adapters(adapter, other) } as GenerateOptions
    expect(() => model.generate('x', options)).toThrow(invalid)
  })

  it('refuses more than 16', async () => {
    const { model } = await open()
    const many = await Promise.all(Array.from({ length: 17 }, () => model.adapter('one.gguf')))
    expect(() => model.generate('x', { adapters: many })).toThrow(invalid)
    await model.generate('x', { adapters: many.slice(1) })
  })
})

describe('an adapter', () => {
  it('is closed once, after the requests that were made before it have entered the engine', async () => {
    const { model, addon } = await open()
    const adapter = await model.adapter('one.gguf')
    const answer = model.generate('x', { adapters: [adapter] })
    const closed = adapter.close()
    expect(adapter.closed).toBe(true)
    expect(addon.calls).not.toContain('adapterClose')
    await Promise.all([closed, adapter.close()])
    expect(addon.engine().requests).toHaveLength(1)
    expect(addon.calls.filter((call) => call === 'adapterClose')).toHaveLength(1)
    expect((await answer).text).toBe('x')
    expect(() => model.generate('x', { adapters: [adapter] })).toThrow(
      expect.objectContaining({
        code: 'ERR_DISPOSED',
        message: expect.stringMatching(/^The adapter was closed/) as string,
      }),
    )
  })

  it('needs the verdict of a judge, and none is loaded without', async () => {
    const verdict = new Error('hostile')
    const { model, addon } = await open({ ...judge, lora: () => Promise.reject(verdict) })
    await expect(model.adapter('one.gguf')).rejects.toBe(verdict)
    const unjudged = await openFake({ info })
    await expect(unjudged.model.adapter('one.gguf')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    await expect(unjudged.model.controlVector('one.gguf')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    for (const { calls } of [addon, unjudged.addon]) expect(calls).not.toContain('adapterLoad')
  })

  it.each([[undefined], [''], [5], [null]])('is not loaded from the path %j', async (path) => {
    const { model } = await open()
    await expect(model.adapter(path as never)).rejects.toEqual(invalid)
  })

  it('that was loaded while the model closed is closed too', async () => {
    let finish: () => void = () => undefined
    const waiting = new Promise<typeof facts>((resolve) => (finish = () => resolve(facts)))
    const { model } = await open({ ...judge, lora: () => waiting })
    const loading = model.adapter('one.gguf')
    await model.close()
    finish()
    await expect(loading).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
  })
})

describe('a control vector of numbers', () => {
  it.each([
    ['an object', { 1: [1, 2] }],
    ['a Map', new Map([[2, Float32Array.of(1, 2)]])],
  ])('takes %s from layers to numbers', async (_title, directions) => {
    const { model } = await open()
    expect((await model.controlVector({ directions })).info).toMatchObject({ kind: 'control-vector', sizeBytes: 16 })
  })

  it.each([
    ['nothing', {}],
    ['no object', { directions: 5 }],
    ['no direction', { directions: {} }],
    ['the first layer', { directions: { 0: [1, 2] } }],
    ['a layer that the model lacks', { directions: { 3: [1, 2] } }],
    ['a layer that is no number', { directions: { one: [1, 2] } }],
    ['too few numbers', { directions: { 1: [1] } }],
    ['numbers that are not finite', { directions: { 1: [1, Infinity] } }],
    ['numbers beyond 32 bits', { directions: { 1: [1, 1e39] } }],
    ['text', { directions: { 1: '12' } }],
  ])('refuses %s', async (_title, data) => {
    const { model } = await open()
    await expect(model.controlVector(data as never)).rejects.toEqual(invalid)
  })
})
