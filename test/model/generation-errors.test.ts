import { describe, expect, it } from 'vitest'
import { collect, collectGarbage, letters, openFake, readParts, turns, watchRejections } from '../support/fake-model.js'

const unhandled = watchRejections()

describe('errors', () => {
  it('of the engine reach every reader and awaiter', async () => {
    const { model, addon } = await openFake()
    addon.engine().failWith = 'ERR_ENGINE_CRASHED'
    const generation = model.generate('x')
    const expected = { code: 'ERR_ENGINE_CRASHED', message: 'The engine was told to fail.' }
    await expect(readParts(generation)).rejects.toMatchObject(expected)
    await expect(collect(generation.text)).rejects.toMatchObject(expected)
    await expect(generation).rejects.toMatchObject(expected)
    await expect(readParts(generation.toReadableStream())).rejects.toMatchObject(expected)
  })

  it('with a code that is not in the table are defects of ours', async () => {
    const { model, addon } = await openFake()
    addon.engine().failWith = 'ERR_WHATEVER'
    await expect(model.generate('x')).rejects.toMatchObject({ code: 'ERR_INTERNAL' })
  })

  it('are handled once a reader got them', async () => {
    const { model, addon } = await openFake()
    addon.engine().failWith = 'ERR_ENGINE_CRASHED'
    await expect(readParts(model.generate('x'))).rejects.toThrow()
    await collectGarbage(() => false)
  })

  it('that nobody ever asks about surface when the generation is collected', async () => {
    const { model, addon } = await openFake()
    addon.engine().failWith = 'ERR_ENGINE_CRASHED'
    ;(() => void model.generate('x'))()
    await turns(5)
    expect(unhandled).toEqual([])
    await collectGarbage(() => unhandled.length > 0)
    expect(unhandled.splice(0)).toMatchObject([{ code: 'ERR_ENGINE_CRASHED' }])
  })

  it('that the caller caused never surface by themselves', async () => {
    const { model } = await openFake({ script: letters(2000) })
    const controller = new AbortController()
    ;(() => void model.generate('x', { signal: controller.signal }))()
    ;(() => void model.generate('y'))()
    await turns(3)
    controller.abort(new Error('mine'))
    await model.close()
    await collectGarbage(() => false)
  })

  it('are late enough for a reader that comes late', async () => {
    const { model, addon } = await openFake()
    addon.engine().failWith = 'ERR_ENGINE_CRASHED'
    const generation = model.generate('x')
    await turns(10)
    await expect(generation).rejects.toMatchObject({ code: 'ERR_ENGINE_CRASHED' })
  })
})
