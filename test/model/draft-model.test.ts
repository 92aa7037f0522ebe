import { describe, expect, it } from 'vitest'
import { openModel } from '../../lib/model/index.js'
import { createFakeAddon } from '../support/fake-addon.js'

const source = { path: 'fake.gguf', draftPath: 'small.gguf' }

describe('a model with a draft model', () => {
  it('says so, and closes both', async () => {
    const addon = createFakeAddon()
    const model = await openModel(source, {}, addon)
    expect(model.info.draft).toEqual({ description: 'fake', sizeBytes: 1 })
    await model.close()
    expect(addon.calls).toEqual(['modelLoad', 'modelLoad', 'engineCreate', 'engineClose', 'modelClose', 'modelClose'])
  })

  it('says nothing where there is none', async () => {
    const model = await openModel({ path: 'fake.gguf' }, {}, createFakeAddon())
    expect(model.info).not.toHaveProperty('draft')
    await model.close()
  })

  it('needs memory for both caches', async () => {
    const sizeOf = async (from: { path: string; draftPath?: string }): Promise<number> => {
      const model = await openModel(from, { parallel: 1 }, createFakeAddon({ freeBytes: 5120 }))
      await model.close()
      return model.info.contextSize
    }
    expect(await sizeOf({ path: 'fake.gguf' })).toBe(4608)
    expect(await sizeOf(source)).toBe(2304)
  })

  it.each([
    ['true', true, { draftTokens: 32, draftModel: true, adaptDrafts: true }],
    ['false', false, { draftTokens: 0, draftModel: false }],
    ['its own', { maxTokens: 4, adaptive: false }, { draftTokens: 4, draftModel: true, adaptDrafts: false }],
    ['n-grams only', { draft: false }, { draftTokens: 32, draftModel: false }],
  ])('is asked for by the request: speculation %s', async (_title, speculation, expected) => {
    const addon = createFakeAddon()
    const model = await openModel(source, {}, addon)
    await model.generate('x', { maxTokens: 1, speculation })
    expect(addon.engine().requests[0]).toMatchObject(expected)
    await model.close()
  })

  it('leaves nothing open when it can not be made', async () => {
    const addon = createFakeAddon({ info: { hasEncoder: true } })
    await expect(openModel(source, {}, addon)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    expect(addon.calls).toEqual(['modelLoad', 'modelClose'])
    const poor = createFakeAddon({ freeBytes: 100 })
    await expect(openModel(source, {}, poor)).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' })
    expect(poor.calls).toEqual(['modelLoad', 'modelLoad', 'modelClose', 'modelClose'])
  })

  it('stops loading the draft model when the signal aborts, and leaves nothing open', async () => {
    const addon = createFakeAddon()
    const controller = new AbortController()
    let loads = 0
    const modelLoad: typeof addon.modelLoad = (options, report) => {
      const loading = addon.modelLoad(options, report)
      if (++loads === 2) controller.abort(new Error('enough'))
      return loading
    }
    const opening = openModel(source, { signal: controller.signal }, { ...addon, modelLoad })
    await expect(opening).rejects.toThrow('enough')
    expect(addon.calls).toEqual(['modelLoad', 'modelLoad', 'cancel', 'modelClose'])
  })
})
