import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { openModel, type Message, type Model, type SessionOptions } from '../../lib/model/index.js'
import { createFakeAddon, type FakeAddon, type FakeOptions } from '../support/fake-addon.js'
import { turns, watchRejections } from '../support/fake-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

watchRejections()
const directory = temporaryDirectory()
const open: Model[] = []
afterEach(() => Promise.all(open.splice(0).map((model) => model.close())))

async function begin(
  options: SessionOptions = {},
  fake: FakeOptions = {},
  weights = 'weights',
  model: object = {},
): Promise<{ model: Model; addon: FakeAddon; session: Awaited<ReturnType<Model['session']>> }> {
  const path = join(directory.path, `${weights}.gguf`)
  await writeFile(path, weights.repeat(1000))
  const addon = createFakeAddon({ script: () => [...Buffer.from('yes')], ...fake })
  const opened = await openModel({ path }, model, addon)
  open.push(opened)
  return { model: opened, addon, session: await opened.session(options) }
}

const user = (content: string): Message => ({ role: 'user', content })
const assistant = (content: string): Message => ({ role: 'assistant', content })
const system = { role: 'system', content: 'Be brief.' } as const

describe('a session', () => {
  it('begins with what it is given and grows by questions and answers', async () => {
    const { session } = await begin({ system: 'Be brief.', messages: [user('a'), assistant('b')] })
    expect(session.messages).toEqual([system, user('a'), assistant('b')])
    expect(await session.chat('one')).toMatchObject({ text: 'yes' })
    await session.chat([user('two'), user('three')])
    const grown = [user('one'), assistant('yes'), user('two'), user('three'), assistant('yes')]
    expect(session.messages).toEqual([system, user('a'), assistant('b'), ...grown])
  })

  it('has the answer in its messages as soon as the answer can be awaited', async () => {
    const { session } = await begin()
    const generation = session.chat('one')
    let seen = 0
    for await (const part of generation) if (part.type === 'finish') seen = session.messages.length
    expect(seen).toBe(2)
  })

  it('serves the whole first turn from the cache in the second', async () => {
    const { session } = await begin({ system: 'Be brief.' })
    const { usage } = await session.chat('one')
    expect(session.usedTokens).toBe(usage.inputTokens + 3)
    expect((await session.chat('two')).usage.cachedTokens).toBe(usage.inputTokens + 3)
  })

  it('answers what prefill has added, and nothing where nothing was asked', async () => {
    const { session } = await begin()
    await expect(session.chat([])).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
    await session.prefill([user('one')])
    expect(session.messages).toEqual([user('one')])
    const { usage } = await session.chat([])
    expect(usage.cachedTokens).toBe(usage.inputTokens - 1)
    expect(session.messages).toEqual([user('one'), assistant('yes')])
    await expect(session.chat([])).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
  })

  it('computes ahead what every question begins with', async () => {
    const { session, addon } = await begin({ system: 'Be brief.' })
    await session.prefill()
    expect(addon.engine().outputTokens).toBe(0)
    const { usage } = await session.chat('one')
    expect(usage.cachedTokens).toBe(usage.inputTokens - Buffer.byteLength('one\nassistant\n') - 2)
  })

  it('hands its key to every request, and takes no other', async () => {
    const { session, addon } = await begin({ cache: { key: 'tenant' } })
    await session.prefill()
    await session.chat('one')
    expect(addon.engine().requests.map(({ cacheKey }) => cacheKey)).toEqual(['tenant', 'tenant'])
    const options = { cache: { key: 'other' } } as object
    expect(() => session.chat('two', options)).toThrow(/no option "cache"/)
  })

  it('hands its adapters to every request, also those of its forks, and takes no others', async () => {
    const { model, addon } = await begin({}, { info: { layers: 3 } })
    const adapter = await model.controlVector({ directions: { 1: [1, 2, 3] } })
    const session = await model.session({ adapters: [{ adapter, scale: 0.5 }] })
    await session.prefill([user('one')])
    await session.chat([])
    await (await session.fork()).chat('two')
    const scales = addon.engine().requests.map(({ adapters }) => adapters.map(({ scale }) => scale))
    expect(scales).toEqual([[0.5], [0.5], [0.5]])
    expect(() => session.chat('three', { adapters: [] } as object)).toThrow(/no option "adapters"/)
  })

  it.each([
    ['adapters that are none', { adapters: ['a.gguf'] }, 'adapters[0]'],
    ['messages as a string', { messages: 'hi' }, 'messages'],
    ['no messages', { messages: [] }, 'messages'],
    ['a wrong role', { messages: [{ role: 'robot', content: '' }] }, 'messages[0].role'],
    ['another address than a file', { restore: new URL('https://example.com/a') }, 'restore'],
    ['an empty path', { restore: '' }, 'restore'],
    ['a saved session with messages', { restore: 'a', system: 'b' }, 'restore'],
    ['an unknown option', { sytem: 'x' }, 'sytem'],
  ])('refuses %s', async (_title, options, option) => {
    const { model } = await begin()
    await expect(model.session(options as object)).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
      details: { option },
    })
  })
})

describe('an answer of a session', () => {
  it('joins with the text so far when it is aborted, and the next one waits for that', async () => {
    const { session } = await begin({}, { script: () => [...Buffer.from('y'.repeat(500))] })
    const generation = session.chat('one')
    for await (const part of generation) if (part.type === 'text') break
    const next = session.chat('two', { maxTokens: 2 })
    const { text } = await generation
    expect(await next).toMatchObject({ text: 'yy' })
    expect(session.messages).toEqual([user('one'), assistant(text), user('two'), assistant('yy')])
  })

  it.each([
    ['a signal', { signal: AbortSignal.abort(new Error('enough')) }, {}],
    ['a template that fails', {}, { content: 'raise' }],
  ])('leaves the session as it was when it fails by %s', async (_title, options, message) => {
    const { session } = await begin()
    await session.chat('one')
    const before = { messages: session.messages, used: session.usedTokens }
    await expect(session.chat([{ ...user('two'), ...message }], options)).rejects.toThrow()
    expect({ messages: session.messages, used: session.usedTokens }).toEqual(before)
    const { usage } = await session.chat('three')
    expect(usage.cachedTokens).toBe(before.used)
  })

  it('leaves nothing of itself in the cache when the engine fails it', async () => {
    const { session, addon } = await begin()
    await session.chat('one')
    const used = session.usedTokens
    addon.engine().failWith = 'ERR_ENGINE_CRASHED'
    await expect(session.chat('two')).rejects.toMatchObject({ code: 'ERR_ENGINE_CRASHED' })
    addon.engine().failWith = undefined
    await session.fork()
    expect([...addon.engine().sessions.values()].map(({ length }) => length)).toEqual([used, used])
  })

  it('is the only one at a time, unless it is being stopped', async () => {
    const { session } = await begin({}, { script: () => [...Buffer.from('y'.repeat(500))] })
    const generation = session.chat('one')
    expect(() => session.chat('two')).toThrow(expect.objectContaining({ code: 'ERR_SESSION_BUSY' }))
    for (const call of [session.fork(), session.save(), session.prefill(), session.rewind(0)]) {
      await expect(call).rejects.toMatchObject({ code: 'ERR_SESSION_BUSY' })
    }
    generation.abort()
    await session.rewind({ keep: 0 })
    expect(session.messages).toEqual([])
  })

  it('loses the oldest turns to the context when it may, and the session goes on', async () => {
    const { session } = await begin({ system: 'S' }, {}, 'weights', { contextSize: 256 })
    const options = { overflow: 'truncate', maxTokens: 3 } as const
    for (let turn = 0; turn < 12; turn++) await session.chat(`question ${turn}`, options)
    expect(session.messages).toHaveLength(25)
    expect(session.usedTokens).toBeLessThan(256)
    await expect(session.chat('more')).rejects.toMatchObject({ code: 'ERR_CONTEXT_FULL' })
  })
})

describe('going back', () => {
  it.each([
    ['the last question and answer', 2, [user('one'), assistant('yes')]],
    ['an answer', 1, [user('one'), assistant('yes'), user('two')]],
    ['all but the first', { keep: 1 }, [user('one')]],
    ['everything', 4, []],
    ['nothing', 0, [user('one'), assistant('yes'), user('two'), assistant('yes')]],
  ])('takes back %s', async (_title, to, left) => {
    const { session } = await begin()
    await session.chat('one')
    const used = session.usedTokens
    await session.chat('two')
    await session.rewind(to)
    expect(session.messages).toEqual(left)
    const { usage } = await session.chat('three')
    if (left.length >= 2) expect(usage.cachedTokens).toBeGreaterThanOrEqual(used)
  })

  it.each([[5], [-1], [0.5], [{ keep: 5 }], [{}], ['1'], [null]])('refuses %j', async (to) => {
    const { session } = await begin()
    await session.chat('one')
    await expect(session.rewind(to as number)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
    expect(session.messages).toHaveLength(2)
  })
})

describe('a fork', () => {
  it('goes its own way from the same cells', async () => {
    const { session, addon } = await begin()
    await session.chat('one')
    const { steps } = addon.engine()
    const fork = await session.fork()
    expect(addon.engine().steps).toBe(steps)
    const used = session.usedTokens
    for (const [branch, question] of [
      [session, 'two'],
      [fork, 'three'],
    ] as const) {
      expect((await branch.chat(question)).usage.cachedTokens).toBe(used)
    }
    expect(fork.messages.slice(0, 2)).toEqual(session.messages.slice(0, 2))
    expect(fork.messages[2]).toEqual(user('three'))
    await session.close()
    await fork.chat('four')
  })
})

describe('a closed session', () => {
  it.each(['session', 'model'])('gives ERR_DISPOSED after the %s was closed, twice as well', async (which) => {
    const { model, session } = await begin()
    await (which === 'session' ? session : model).close()
    expect(() => session.chat('one')).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }))
    for (const call of [session.fork(), session.save(), session.prefill(), session.rewind(0)]) {
      await expect(call).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    }
    await session.close()
    await session[Symbol.asyncDispose]()
  })

  it('ends its answer with ERR_DISPOSED and keeps nothing', async () => {
    const { session, addon } = await begin({}, { script: () => [...Buffer.from('y'.repeat(500))] })
    const generation = session.chat('one')
    await turns(5)
    await session.close()
    await expect(generation).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    await turns(3)
    expect(addon.engine().running).toBe(0)
  })
})

describe('a saved session', () => {
  it('comes back from bytes, from a path and from a file URL', async () => {
    const { session } = await begin({ system: 'Be brief.' })
    await session.chat('one')
    const path = join(directory.path, 'saved')
    await session.save(path)
    await session.save(pathToFileURL(path))
    const bytes = await session.save()
    expect(await readFile(path)).toEqual(Buffer.from(bytes))
    expect((await readdir(directory.path)).filter((name) => name.includes('partial'))).toEqual([])
    for (const restore of [path, pathToFileURL(path), bytes]) {
      const other = await begin({ restore })
      expect(other.session.messages).toEqual(session.messages)
      expect(other.session.usedTokens).toBe(session.usedTokens)
      expect((await other.session.chat('two')).usage.cachedTokens).toBe(session.usedTokens)
    }
  })

  it('is saved and comes back before anything was computed', async () => {
    const { session } = await begin({ system: 'Be brief.' })
    const other = await begin({ restore: await session.save() })
    expect(other.session.messages).toEqual([system])
    await other.session.chat('one')
  })

  it('is computed first if it had to give way', async () => {
    const { session, addon } = await begin()
    await session.chat('one')
    addon.engine().sessions.clear()
    const other = await begin({ restore: await session.save() })
    expect((await other.session.chat('two')).usage.cachedTokens).toBe(session.usedTokens)
  })

  it.each([
    ['another model', 'others', {}, {}, ['model']],
    ['another template', 'weights', { info: { chatTemplate: 'x' } }, {}, ['template']],
    ['another type of keys', 'weights', {}, { keyType: 'q8_0' }, ['keyType']],
    ['another type of values', 'weights', {}, { valueType: 'q8_0' }, ['valueType']],
  ] as const)('of %s gives ERR_STATE_MISMATCH that says so', async (_title, weights, fake, options, differing) => {
    const { session } = await begin()
    await session.chat('one')
    const restore = await session.save()
    const { model, addon } = await begin({}, fake, weights, options)
    await expect(model.session({ restore })).rejects.toMatchObject({
      code: 'ERR_STATE_MISMATCH',
      details: { differing },
    })
    expect(addon.engine().sessions.size).toBe(0)
  })

  it('that is longer than the context gives ERR_CONTEXT_FULL', async () => {
    const { session } = await begin()
    await session.chat('one'.repeat(50))
    const { model } = await begin({}, {}, 'weights', { contextSize: 64 })
    await expect(model.session({ restore: await session.save() })).rejects.toMatchObject({ code: 'ERR_CONTEXT_FULL' })
  })

  it('that can not be read or written gives ERR_STORE, and an old one stays', async () => {
    const { model, session } = await begin()
    await expect(model.session({ restore: join(directory.path, 'none') })).rejects.toMatchObject({ code: 'ERR_STORE' })
    await expect(session.save(join(directory.path, 'none', 'saved'))).rejects.toMatchObject({ code: 'ERR_STORE' })
    await expect(session.save(directory.path)).rejects.toMatchObject({ code: 'ERR_STORE' })
    expect((await readdir(directory.path, { recursive: true })).filter((name) => name.includes('partial'))).toEqual([])
  })
})
