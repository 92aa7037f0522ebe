import { describe, expect, it } from 'vitest'
import { collect, collectGarbage, letters, openFake, readParts, turns, watchRejections } from '../support/fake-model.js'

watchRejections()

describe('stopping', () => {
  it('by break cancels in the engine before the next step', async () => {
    const { model, addon } = await openFake({ script: letters(2000) })
    const generation = model.generate('x')
    let seen = 0
    for await (const part of generation) if (part.type === 'text' && ++seen === 5) break
    const steps = addon.engine().steps
    await turns(5)
    expect(addon.engine().steps).toBe(steps)
    expect(addon.engine().running).toBe(0)
    expect(await generation).toMatchObject({ finishReason: 'abort', text: 'aaaaa' })
  })

  it('by throwing out of the loop cancels', async () => {
    const { model, addon } = await openFake({ script: letters(2000) })
    const reading = (async () => {
      for await (const part of model.generate('x')) throw new Error(`mine, at ${part.type}`)
    })()
    await expect(reading).rejects.toThrow('mine, at text')
    await turns(2)
    expect(addon.engine().running).toBe(0)
  })

  it('by break lets the generation run while the result is awaited', async () => {
    const { model } = await openFake({ script: letters(100) })
    const generation = model.generate('x')
    const result = generation.then(({ text }) => text.length)
    for await (const part of generation) if (part.type === 'text') break
    expect(await result).toBe(100)
  })

  it('by break lets it run while another iterator is open', async () => {
    const { model } = await openFake({ script: letters(100) })
    const generation = model.generate('x')
    const other = generation.text[Symbol.asyncIterator]()
    await other.next()
    for await (const part of generation) if (part.type === 'text') break
    let count = 1
    while (!(await other.next()).done) count++
    expect(count).toBe(100)
  })

  it('by return() settles a next() that waits', async () => {
    const { model, addon } = await openFake({ automatic: false })
    const iterator = model.generate('x')[Symbol.asyncIterator]()
    const waiting = iterator.next()
    await turns(3)
    await iterator.return?.()
    expect(await waiting).toEqual({ done: true, value: undefined })
    addon.engine().step()
    expect(addon.engine().running).toBe(0)
  })

  it.each([
    ['before it entered the engine', 0],
    ['in the engine', 12],
  ])('by abort() %s resolves with what there is', async (_title, wait) => {
    const { model, addon } = await openFake({ script: letters(2000) })
    const generation = model.generate('x')
    await turns(wait)
    generation.abort()
    generation.abort()
    const result = await generation
    expect(result.finishReason).toBe('abort')
    expect(result.text).toHaveLength(result.usage.outputTokens)
    expect(result.usage.outputTokens > 0).toBe(wait > 0)
    await turns(3)
    expect(addon.engine().running).toBe(0)
    expect((await readParts(generation)).at(-1)).toMatchObject({ type: 'finish', finishReason: 'abort' })
  })

  it('by abort() after the end changes nothing', async () => {
    const { model } = await openFake()
    const generation = model.generate('x')
    await generation
    generation.abort()
    expect(await generation).toMatchObject({ finishReason: 'stop' })
  })

  it('by dispose resolves once the engine let go', async () => {
    const { model, addon } = await openFake({ script: letters(2000) })
    const generation = model.generate('x')
    await turns(5)
    await generation[Symbol.asyncDispose]()
    expect(addon.engine().running).toBe(0)
    expect(await generation).toMatchObject({ finishReason: 'abort' })
  })

  it('by cancelling the web stream cancels', async () => {
    const { model, addon } = await openFake({ script: letters(2000) })
    const reader = model.generate('x').toReadableStream().getReader()
    await reader.read()
    await reader.cancel()
    await turns(2)
    expect(addon.engine().running).toBe(0)
  })

  it('by becoming unreachable cancels', async () => {
    const { model, addon } = await openFake({ script: letters(5000) })
    ;(() => void model.generate('x'))()
    await turns(5)
    expect(addon.engine().running).toBe(1)
    await collectGarbage(() => addon.engine().running === 0)
    expect(addon.engine().running).toBe(0)
  })

  it('does not happen while an iterator is held, even between its steps', async () => {
    const { model, addon } = await openFake({ script: letters(5000) })
    const iterator = (() => model.generate('x').text[Symbol.asyncIterator]())()
    await iterator.next()
    await collectGarbage(() => addon.engine().running === 0)
    expect(addon.engine().running).toBe(1)
    expect((await iterator.next()).done).toBe(false)
  })

  it('does not happen to an awaited or iterated generation that is otherwise unreachable', async () => {
    const { model } = await openFake({ automatic: true, script: letters(200) })
    const readings = [model.generate('x').then(({ text }) => text.length), collect(model.generate('x').text)]
    await collectGarbage(() => false)
    expect(await readings[0]).toBe(200)
    expect(await readings[1]).toHaveLength(200)
  })
})

describe('a signal', () => {
  const reason = new Error('enough')

  it('already aborted rejects without a native call', async () => {
    const { model, addon } = await openFake()
    const generation = model.generate('x', { signal: AbortSignal.abort(reason) })
    await expect(generation).rejects.toBe(reason)
    await expect(readParts(generation)).rejects.toBe(reason)
    expect(addon.calls).not.toContain('tokenize')
  })

  it.each([
    ['while the prompt is tokenized', 0],
    ['while it generates', 8],
  ])('%s rejects at once with its reason and frees the sequence', async (_title, wait) => {
    const { model, addon } = await openFake({ script: letters(2000) })
    const controller = new AbortController()
    const generation = model.generate('x', { signal: controller.signal })
    const failed = expect(generation).rejects.toBe(reason)
    await turns(wait)
    controller.abort(reason)
    await failed
    await turns(3)
    expect(addon.engine().running).toBe(0)
  })

  it('during for await throws there and nowhere else', async () => {
    const { model } = await openFake({ script: letters(2000) })
    const controller = new AbortController()
    let seen = 0
    const reading = (async () => {
      for await (const part of model.generate('x', { signal: controller.signal })) {
        if (part.type === 'text' && ++seen === 3) controller.abort(reason)
      }
    })()
    await expect(reading).rejects.toBe(reason)
    expect(seen).toBe(3)
  })

  it('after the end changes nothing', async () => {
    const { model } = await openFake()
    const controller = new AbortController()
    const generation = model.generate('x', { signal: controller.signal })
    await generation
    controller.abort(reason)
    expect(await generation).toMatchObject({ finishReason: 'stop' })
  })

  it('without a reason rejects with an AbortError', async () => {
    const { model } = await openFake({ script: letters(2000) })
    const controller = new AbortController()
    const generation = model.generate('x', { signal: controller.signal })
    controller.abort()
    await expect(generation).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('shared by 50 generations rejects them all and gets one listener', async () => {
    const { model } = await openFake({ script: letters(2000) })
    const warnings: Error[] = []
    const warn = (warning: Error) => void warnings.push(warning)
    process.on('warning', warn)
    const controller = new AbortController()
    const all = Array.from({ length: 50 }, () => model.generate('x', { signal: controller.signal }))
    const settled = Promise.allSettled(all)
    await turns(4)
    controller.abort(reason)
    for (const each of await settled) expect(each).toEqual({ status: 'rejected', reason })
    await turns(2)
    process.off('warning', warn)
    expect(warnings).toEqual([])
  })
})
