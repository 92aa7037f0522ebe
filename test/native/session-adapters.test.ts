import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { load, type Adapter, type Message, type Model, type ScaledAdapter, type Session } from '../../lib/index.js'
import { text, writeGguf } from '../support/gguf-writer.js'
import { predict, renderChat } from '../support/script.js'
import { scriptedLora, writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { loraFile } from '../support/tiny-lora.js'

const directory = temporaryDirectory()
const greedy = { temperature: 0, maxTokens: 12, ignoreEos: true } as const
const long = `K1 ${'.'.repeat(200)}`
const width = 128
const direction = Float32Array.from({ length: width }, (_, index) => 3 * Math.sin(index))

type Set = readonly (Adapter | ScaledAdapter)[]

interface Loaded {
  /** Takes the key 1 for the key 2. */
  readonly one: Adapter
  readonly oneAgain: Adapter
  /** Takes the key 3 for the key 4. */
  readonly other: Adapter
  readonly vector: Adapter
  readonly vectorFile: Adapter
}

let model: Model
let loaded: Loaded

function write(name: string, bytes: Uint8Array): string {
  const path = join(directory.path, name)
  writeFileSync(path, bytes)
  return path
}

beforeAll(async () => {
  const path = await writeScriptedModel(join(directory.path, 'scripted.gguf'), { layers: 2 })
  model = await load(path, { probe: false, threads: 1, contextSize: 4096, parallel: 4, cacheTokens: 16_384 })
  const one = write('one.gguf', loraFile(scriptedLora(1, 2)))
  const tensors = [{ name: 'direction.1', dimensions: [width], data: direction }]
  const file = writeGguf({ metadata: { 'general.architecture': text('controlvector') }, tensors })
  loaded = {
    one: await model.adapter(one),
    oneAgain: await model.adapter(one),
    other: await model.adapter(write('other.gguf', loraFile(scriptedLora(3, 4)))),
    vector: await model.controlVector({ directions: { 1: direction } }),
    vectorFile: await model.controlVector(write('vector.gguf', file)),
  }
})
afterAll(() => model.close())

/** What the model answers to the conversation when it takes K1 for K2. */
const underOne = (messages: readonly Message[]): string =>
  predict(renderChat(messages).replaceAll('K1', 'K2'), greedy).text

let scratches = 0

/** Asks, and expects what the whole conversation gives when it is computed anew with these adapters. */
async function ask(session: Session, question: string, adapters: Set = [loaded.one]) {
  const messages: readonly Message[] = [...session.messages, { role: 'user', content: question }]
  const scratch = await model.chat(messages, { ...greedy, adapters, cache: { key: `scratch ${scratches++}` } })
  expect(scratch.usage.cachedTokens).toBe(0)
  const { text, usage } = await session.chat(question, greedy)
  expect(text).toBe(scratch.text)
  return { text, messages, cached: usage.cachedTokens, used: usage.inputTokens + usage.outputTokens }
}

describe('a session with adapters', () => {
  it('answers, goes back and branches as the adapter has it, and computes nothing twice', async () => {
    const session = await model.session({ adapters: [loaded.one], cache: { key: 'branches' } })
    const first = await ask(session, long)
    expect(first.text).toBe(underOne(first.messages))
    const second = await ask(session, 'K1 K1 go on')
    expect(second.cached).toBeGreaterThanOrEqual(first.used - 2)
    expect(second.text).toBe(underOne(second.messages))
    const fork = await session.fork()
    await session.rewind(2)
    const [instead, onward] = [await ask(session, 'K5 K5 K5 K5'), await ask(fork, 'K1 K1 K1 more')]
    expect(instead.cached).toBeGreaterThanOrEqual(first.used - 2)
    expect(onward.cached).toBeGreaterThanOrEqual(second.used - 2)
    expect(onward.text).toBe(underOne(onward.messages))
  })

  it('is saved and restored with the same ones, and goes on from what is computed', async () => {
    const session = await model.session({ adapters: [loaded.one], cache: { key: 'saved' } })
    await session.prefill([{ role: 'user', content: long }])
    await session.chat([], greedy)
    const restore = await session.save()
    const back = await model.session({ restore, adapters: [loaded.oneAgain], cache: { key: 'restored' } })
    expect((await ask(back, 'K1 K1 go on')).cached).toBe(session.usedTokens - 1)
  })

  it('is steered by a control vector', async () => {
    const adapters = [{ adapter: loaded.vector, scale: 20 }]
    const session = await model.session({ adapters, cache: { key: 'steered' } })
    const { text, messages } = await ask(session, long, adapters)
    expect(text).not.toBe(predict(renderChat(messages), greedy).text)
    const restore = await session.save()
    const back = await model.session({ restore, adapters, cache: { key: 'steered again' } })
    expect((await ask(back, 'K1 go on', adapters)).cached).toBe(session.usedTokens - 1)
  })

  it('shares what is computed with its own set alone', async () => {
    const { one, other } = loaded
    const sets: readonly Set[] = [[], [one], [{ adapter: one, scale: 0.5 }], [other], [one, other]]
    const first = async (adapters: Set) => {
      const session = await model.session({ adapters, cache: { key: 'sets' } })
      return (await session.chat(long, greedy)).usage.cachedTokens
    }
    for (const set of sets) expect(await first(set)).toBe(0)
    for (const set of [...sets, [other, one], [{ adapter: one, scale: 0 }]])
      expect(await first(set)).toBeGreaterThan(200)
  })

  it('goes on, after an adapter was closed, by being saved and restored', async () => {
    const adapter = await model.adapter(join(directory.path, 'one.gguf'))
    const session = await model.session({ adapters: [adapter], cache: { key: 'closed' } })
    const running = session.chat(long, greedy)
    await adapter.close()
    const expected = underOne([{ role: 'user', content: long }])
    expect((await running).text).toBe(expected)
    const disposed = expect.objectContaining({
      code: 'ERR_DISPOSED',
      message: expect.stringMatching(/adapter/),
    }) as unknown
    expect(() => session.chat('more')).toThrow(disposed)
    await expect(session.prefill()).rejects.toEqual(disposed)
    await expect(model.session({ adapters: [adapter] })).rejects.toEqual(disposed)
    const restore = await session.save()
    const back = await model.session({ restore, adapters: [loaded.one], cache: { key: 'reopened' } })
    expect((await ask(back, 'K1 K1 go on')).cached).toBe(session.usedTokens - 1)
  })
})

describe('a saved session', () => {
  const half = (adapter: Adapter): ScaledAdapter => ({ adapter, scale: 0.5 })
  const none = (adapter: Adapter): ScaledAdapter => ({ adapter, scale: 0 })

  it.each<[string, (given: Loaded) => readonly [Set, Set]]>([
    ['without the adapter', ({ one }) => [[one], []]],
    ['with one where there was none', ({ one }) => [[], [one]]],
    ['with another one', ({ one, other }) => [[one], [other]]],
    ['with another scale', ({ one }) => [[one], [half(one)]]],
    ['with one more', ({ one, other }) => [[one], [one, other]]],
    ['with the same one twice', ({ one, oneAgain }) => [[one], [one, oneAgain]]],
    [
      'with scales exchanged',
      ({ one, other }) => [
        [one, half(other)],
        [half(one), other],
      ],
    ],
    ['with a vector instead', ({ one, vector }) => [[one], [vector]]],
    ['with another scale of a vector', ({ vector }) => [[vector], [half(vector)]]],
  ])('gives ERR_STATE_MISMATCH %s, and nothing else happens', async (title, sets) => {
    const [before, after] = sets(loaded)
    const session = await model.session({ adapters: before, cache: { key: title } })
    await session.chat(long, greedy)
    const restore = await session.save()
    const { steps, cellsCached } = model.metrics()
    await expect(model.session({ restore, adapters: after })).rejects.toMatchObject({
      code: 'ERR_STATE_MISMATCH',
      details: { differing: ['adapters'] },
    })
    expect(model.metrics()).toMatchObject({ steps, cellsCached })
  })

  it.each<[string, (given: Loaded) => readonly [Set, Set]]>([
    [
      'in another order',
      ({ one, other }) => [
        [one, half(other)],
        [half(other), one],
      ],
    ],
    ['beside one of scale 0', ({ one, other }) => [[one], [none(other), one]]],
    ['loaded again', ({ one, oneAgain }) => [[one], [oneAgain]]],
    ['read from a file instead of numbers', ({ vector, vectorFile }) => [[vector], [vectorFile]]],
  ])('comes back with its adapters %s', async (title, sets) => {
    const [before, after] = sets(loaded)
    const session = await model.session({ adapters: before, cache: { key: title } })
    await session.chat(long, greedy)
    const back = await model.session({
      restore: await session.save(),
      adapters: after,
      cache: { key: `${title} again` },
    })
    const { usage } = await back.chat('K1 K1 go on', greedy)
    expect(usage.cachedTokens).toBe(session.usedTokens - 1)
  })
})
