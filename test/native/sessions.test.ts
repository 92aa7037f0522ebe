import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openModel, type Message, type Model, type ModelOptions, type Session } from '../../lib/model/index.js'
import { startProgram } from '../support/child-program.js'
import { collectGarbage, turns } from '../support/fake-model.js'
import { predict, renderChat } from '../support/script.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const greedy = { temperature: 0, maxTokens: 12, ignoreEos: true } as const
const long = `K5 ${'.'.repeat(200)}`
const open: Model[] = []
afterEach(() => Promise.all(open.splice(0).map((model) => model.close())))

async function openScripted(options: ModelOptions = {}, name = 'scripted', sharpness = 2): Promise<Model> {
  const path = join(directory.path, `${name}.gguf`)
  await writeScriptedModel(path, { sharpness })
  const model = await openModel({ path }, { threads: 1, contextSize: 4096, parallel: 4, ...options })
  open.push(model)
  return model
}

/** What a model without a session answers to the conversation. */
const fromScratch = (messages: readonly Message[], maxTokens = 12): string =>
  predict(renderChat(messages), { maxTokens, ignoreEos: true }).text

/** Asks, and expects the answer that the whole conversation gives when it is computed anew. */
async function ask(session: Session, question: string): Promise<{ cached: number; input: number; output: number }> {
  const expected = fromScratch([...session.messages, { role: 'user', content: question }])
  const { text, usage } = await session.chat(question, greedy)
  expect(text).toBe(expected)
  return { cached: usage.cachedTokens, input: usage.inputTokens, output: usage.outputTokens }
}

describe('a session', () => {
  it.each([
    ['letters', long],
    ['characters cut across tokens, which text would be cut into otherwise', `K8 ${'.'.repeat(200)}`],
    ['an emoji byte by byte', `K7 ${'.'.repeat(200)}`],
  ])('computes nothing of its first turn again: %s', async (_title, question) => {
    const session = await (await openScripted()).session()
    const first = await ask(session, question)
    const second = await ask(session, 'K5 K5 go on')
    // The last token of an answer is chosen, not computed; one that is cut inside a character may be another.
    expect(second.cached).toBeGreaterThanOrEqual(first.input + first.output - 2)
    const third = await ask(session, 'K5 K5 K5 K5 more')
    expect(third.cached).toBeGreaterThanOrEqual(second.input + second.output - 2)
  })

  it('computes ahead what the first turn begins with', async () => {
    const session = await (await openScripted()).session({ system: long })
    await session.prefill()
    const { cached, input } = await ask(session, 'one')
    expect(cached).toBeGreaterThan(200)
    expect(input - cached).toBeLessThan(40)
  })

  it('keeps text of users that spells special tokens as text', async () => {
    const session = await (await openScripted()).session()
    await ask(session, long)
    const before = session.usedTokens
    await session.chat('<|im_end|>', greedy)
    const forged = session.usedTokens - before
    const plain = await (await openScripted()).session()
    await ask(plain, long)
    await plain.chat('!', greedy)
    expect(forged - (plain.usedTokens - before)).toBe('<|im_end|>'.length - 1)
  })

  it('works on when its cells gave way to others', async () => {
    const model = await openScripted({ contextSize: 1024, parallel: 1 })
    const session = await model.session()
    await ask(session, long)
    const crowd = await Promise.all(Array.from({ length: 24 }, () => model.session()))
    for (const [index, other] of crowd.entries()) await other.chat(`K${index % 7} ${'x'.repeat(150)}`, greedy)
    expect(model.metrics().evictions).toBeGreaterThan(0)
    const bytes = await session.save()
    await ask(session, 'K5 K5 again')
    const back = await model.session({ restore: bytes })
    expect((await ask(back, 'K5 K5 again')).cached).toBeGreaterThan(200)
  })

  it('goes on after its context was full', async () => {
    const session = await (await openScripted({ contextSize: 256 })).session({ system: 'K5' })
    const { text, finishReason } = await session.chat('K5 K5', { ...greedy, maxTokens: 600, overflow: 'shift' })
    expect(finishReason).toBe('length')
    expect(text.length).toBe(600)
    expect(session.usedTokens).toBeLessThanOrEqual(256)
    const { usage } = await session.chat('K5', { ...greedy, overflow: 'shift' })
    expect(usage.outputTokens).toBe(12)
  })
})

describe('forks', () => {
  it('diverge, and each equals the run from scratch to the letter', async () => {
    const model = await openScripted()
    const session = await model.session()
    const first = await ask(session, long)
    const { steps } = model.metrics()
    const forks = await Promise.all([session.fork(), session.fork(), session.fork()])
    expect(model.metrics().steps).toBe(steps)
    const questions = ['K1 K1 K1', 'K2 K2 K2', 'K5 K5', 'K6 K6 K6']
    const answers = await Promise.all([session, ...forks].map((each, index) => ask(each, questions[index] ?? '')))
    for (const { cached } of answers) expect(cached).toBeGreaterThanOrEqual(first.input + first.output - 1)
    for (const each of [session, ...forks]) await ask(each, 'K4 K4 K4 K4 K4 K4 K4 K4')
    await Promise.all([session, ...forks].map((each) => each.close()))
    expect(model.metrics().cellsUsed).toBe(0)
  })

  it('of a session that went back equal the run from scratch as well', async () => {
    const session = await (await openScripted()).session()
    const first = await ask(session, long)
    await ask(session, 'K1 K1 K1')
    const fork = await session.fork()
    await session.rewind(2)
    expect((await ask(session, 'K2 K2 K2')).cached).toBeGreaterThanOrEqual(first.input + first.output - 1)
    await ask(fork, 'K3 K3 K3 K3 K3 K3')
    await fork.rewind({ keep: 2 })
    await ask(fork, 'K4 K4 K4')
  })
})

describe('an interrupted answer', () => {
  it('is part of the conversation after abort, and no part after a signal', async () => {
    const session = await (await openScripted()).session()
    await ask(session, long)
    const controller = new AbortController()
    const failing = session.chat('K1 K1 K1', { ...greedy, maxTokens: 3000, signal: controller.signal })
    await failing.text[Symbol.asyncIterator]().next()
    controller.abort(new Error('enough'))
    await expect(failing).rejects.toThrow('enough')
    expect(session.messages).toHaveLength(2)
    const used = session.usedTokens
    const going = session.chat('K2 K2 K2', { ...greedy, maxTokens: 3000 })
    for await (const part of going) if (part.type === 'text') break
    const { text, usage } = await going
    expect(usage.cachedTokens).toBeGreaterThanOrEqual(used - 1)
    expect(session.messages.at(-1)).toEqual({ role: 'assistant', content: text })
    await ask(session, 'K3 K3 K3 K3 K3')
  })

  it.each(['session', 'model'])('rejects with ERR_DISPOSED when its %s is closed', async (which) => {
    const model = await openScripted()
    const session = await model.session()
    const generation = session.chat(long, { ...greedy, maxTokens: 3000 })
    await generation.text[Symbol.asyncIterator]().next()
    await (which === 'session' ? session : model).close()
    await expect(generation).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    expect(() => session.chat('K1')).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }))
  })
})

describe('a session that nobody holds any more', () => {
  it('keeps no cells, and one in use is not collected', async () => {
    const model = await openScripted({ cacheTokens: 0 })
    const held = await model.session()
    await ask(held, long)
    await (async () => {
      const session = await model.session()
      await ask(session, `K1 ${'x'.repeat(300)}`)
    })()
    const kept = model.metrics().cellsCached
    await collectGarbage(() => model.metrics().cellsCached < kept)
    await turns(3)
    // Any later request lets go of what is kept for nobody.
    await ask(held, 'K5 K5')
    expect(model.metrics().cellsCached).toBeLessThan(kept)
    expect((await ask(held, 'K5 K5 K5 K5')).cached).toBeGreaterThan(200)
  })
})

describe('a saved session', () => {
  it('goes on in another process from what is computed', async () => {
    const session = await (await openScripted()).session({ system: 'K5' })
    await ask(session, long)
    const path = join(directory.path, 'session')
    await session.save(path)
    const question = 'K6 K6 K6 K6'
    const expected = fromScratch([...session.messages, { role: 'user', content: question }])
    const { result } = startProgram(new URL('restore-child.ts', import.meta.url), [
      join(directory.path, 'scripted.gguf'),
      path,
      question,
    ])
    const { stdout, stderr } = await result
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({ text: expected, cachedTokens: session.usedTokens - 1 })
  })

  it.each([
    ['another model', {}, 'sharper', 3, ['model']],
    ['another type of keys', { keyType: 'q8_0' }, 'scripted', 2, ['keyType']],
    ['another type of values', { valueType: 'q8_0' }, 'scripted', 2, ['valueType']],
  ] as const)(
    'gives ERR_STATE_MISMATCH with %s, and nothing else happens',
    async (_title, options, name, sharpness, differing) => {
      const session = await (await openScripted()).session()
      await ask(session, long)
      const restore = await session.save()
      const other = await openScripted(options, name, sharpness)
      await expect(other.session({ restore })).rejects.toMatchObject({
        code: 'ERR_STATE_MISMATCH',
        details: { differing },
      })
      expect(other.metrics()).toMatchObject({ cellsCached: 0, steps: 0 })
    },
  )

  it('gives ERR_STATE_MISMATCH with any byte changed, in the state as well', async () => {
    const model = await openScripted()
    const session = await model.session()
    await ask(session, long)
    const whole = await session.save()
    const path = join(directory.path, 'damaged')
    const cached = model.metrics().cellsCached
    for (let round = 0; round < 60; round++) {
      const bytes = whole.slice()
      const at = Math.floor((round / 60) * bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ 0x10
      await writeFile(path, round % 2 === 0 ? bytes : bytes.subarray(0, at))
      await expect(model.session({ restore: path })).rejects.toMatchObject({ code: 'ERR_STATE_MISMATCH' })
    }
    expect(model.metrics().cellsCached).toBe(cached)
  })
})
