import { describe, expect, it } from 'vitest'
import type { Generation } from '../../lib/model/index.js'
import { collect, letters, openFake, readParts, textOfParts, turns, watchRejections } from '../support/fake-model.js'

watchRejections()

describe('back-pressure', () => {
  it('parks a generation that nobody reads at 1,024 tokens, and a late reader gets everything', async () => {
    const { model, addon } = await openFake({ script: letters(3000) })
    const generation = model.generate('x')
    await turns(1500)
    expect(addon.engine().outputTokens).toBe(1024)
    expect(model.metrics().parked).toBe(1)
    expect(await collect(generation.text)).toHaveLength(3000)
  })

  it('acknowledges a reader every 256 tokens, with what it has taken in all', async () => {
    const { model, addon } = await openFake({ script: letters(1500) })
    expect(await collect(model.generate('x').text)).toHaveLength(1500)
    const told = addon.engine().acknowledgements.map(([, tokens]) => tokens)
    expect(told).toEqual([256, 512, 768, 1024, 1280])
  })

  it('parks a generation whose reader is slow, and goes on when it reads', async () => {
    const { model, addon } = await openFake({ script: letters(4000) })
    const generation = model.generate('x')
    const iterator = generation.text[Symbol.asyncIterator]()
    for (let i = 0; i < 300; i++) await iterator.next()
    await turns(2500)
    const ahead = addon.engine().outputTokens - 300
    expect(ahead).toBeGreaterThan(700)
    expect(ahead).toBeLessThanOrEqual(1024)
    let count = 300
    while (!(await iterator.next()).done) count++
    expect(count).toBe(4000)
  })

  it.each([
    ['awaited', (generation: Generation) => generation.then(() => undefined)],
    ['disposed later', (generation: Generation) => generation.then(() => generation[Symbol.asyncDispose]())],
  ])('takes everything at once when %s', async (_title, read) => {
    const { model, addon } = await openFake({ script: letters(3000) })
    await read(model.generate('x'))
    expect(addon.engine().acknowledgements).toEqual([[1, -1]])
  })

  it('lets a parked generation go on when it is awaited', async () => {
    const { model, addon } = await openFake({ script: letters(3000) })
    const generation = model.generate('x')
    await turns(1100)
    expect(addon.engine().parked).toBe(1)
    expect((await generation).text).toHaveLength(3000)
  })

  it('does not stand still over tokens without text', async () => {
    const silent = Array.from({ length: 3000 }, () => 258)
    const { model } = await openFake({ script: () => [...silent, 97] })
    const generation = model.generate('x')
    const parts = await readParts(generation)
    expect(textOfParts(parts)).toBe('a')
    expect((await generation).tokens).toHaveLength(3002)
  })

  it('counts the quickest of two readers', async () => {
    const { model } = await openFake({ script: letters(3000) })
    const generation = model.generate('x')
    const slow = generation.text[Symbol.asyncIterator]()
    await slow.next()
    expect(await collect(generation.text)).toHaveLength(3000)
    let count = 1
    while (!(await slow.next()).done) count++
    expect(count).toBe(3000)
  })
})
