import { describe, expect, it } from 'vitest'
import { predict } from '../support/script.js'
import { program } from './program.js'
import { scriptedModelFile, settled, testEngines, until } from './test-engine.js'

const engines = testEngines()
const bufferTokens = 1024
const spin = (ms: number) => {
  for (const until = performance.now() + ms; performance.now() < until;);
}

describe('an unread sequence', () => {
  it('parks when its buffer is full, lets others go on, and goes on when it is read', async () => {
    const engine = await engines()
    const maxTokens = 2500
    const whole = predict('K1', { maxTokens }).text
    const id = engine.submit(await engine.tokenize('K1'), { maxTokens, bufferTokens })
    await until(engine, ({ parked }) => parked === 1)
    expect(await settled(engine)).toMatchObject({ parked: 1, running: 0, outputTokens: bufferTokens })
    expect(engine.inbox.text(id)).toBe(whole.slice(0, bufferTokens))

    const other = await engine.answer(await engine.tokenize('K2'), { maxTokens: 50 })
    expect(other).toBe(predict('K2', { maxTokens: 50 }).text)
    expect((await settled(engine)).outputTokens).toBe(bufferTokens + 50)

    engine.acknowledge(id, 300)
    await until(engine, ({ outputTokens }) => outputTokens >= bufferTokens + 50 + 300)
    expect((await settled(engine)).outputTokens).toBe(bufferTokens + 50 + 300)
    engine.acknowledge(id, bufferTokens)
    await until(engine, ({ outputTokens }) => outputTokens >= 2 * bufferTokens + 50)
    expect((await settled(engine)).outputTokens).toBe(2 * bufferTokens + 50)
    engine.acknowledge(id, -1)
    expect(await engine.inbox.ended(id)).toBe(whole)
    expect(engine.stats()).toMatchObject({ parked: 0, running: 0, cellsUsed: 0, preemptions: 0 })
  })

  it('gives up its cells to those who need them, and its text stays whole', async () => {
    const engine = await engines({ contextSize: 512, maxSequences: 4 })
    const maxTokens = 300
    const id = engine.submit(await engine.tokenize('K3'), { maxTokens, bufferTokens: 200 })
    await until(engine, ({ parked }) => parked === 1)
    expect(await settled(engine)).toMatchObject({ parked: 1, outputTokens: 200 })
    const prompt = `${'.'.repeat(400)}K5`
    expect(await engine.answer(await engine.tokenize(prompt), { maxTokens: 20 })).toBe(
      predict(prompt, { maxTokens: 20 }).text,
    )
    expect(await settled(engine)).toMatchObject({ parked: 1, preemptions: 1, cellsUsed: 0 })
    engine.acknowledge(id, -1)
    expect(await engine.inbox.ended(id)).toBe(predict('K3', { maxTokens }).text)
  })

  it('gives up its place when all places are taken by parked ones', async () => {
    const engine = await engines({ maxSequences: 2 })
    const tokens = await engine.tokenize('K2')
    const whole = predict('K2', { maxTokens: 40 }).text
    const unread = [0, 1, 2, 3].map(() => engine.submit(tokens, { maxTokens: 40, bufferTokens: 10 }))
    await until(engine, ({ parked }) => parked === 4)
    expect(await engine.answer(tokens, { maxTokens: 40 })).toBe(whole)
    for (const id of unread) engine.acknowledge(id, -1)
    expect(await Promise.all(unread.map((id) => engine.inbox.ended(id)))).toEqual([whole, whole, whole, whole])
  })

  it('can be cancelled while parked', async () => {
    const engine = await engines()
    const id = engine.submit(await engine.tokenize('K1'), { bufferTokens: 16 })
    const before = await until(engine, ({ parked }) => parked === 1)
    engine.cancel(id)
    expect(await engine.inbox.ended(id)).toBe(predict('K1', { maxTokens: 16 }).text)
    expect(engine.inbox.finish(id)?.reason).toBe('abort')
    expect(await settled(engine)).toMatchObject({ steps: before.steps, parked: 0, cellsUsed: 0 })
  })

  it('runs to the end of its buffer while the event loop is blocked, and nothing is lost', async () => {
    const engine = await engines()
    const maxTokens = 600
    const prompts = ['K0', 'K1', 'K2', 'K8']
    const tokens = await Promise.all(prompts.map((prompt) => engine.tokenize(prompt)))
    const ids = tokens.map((prompt) => engine.submit(prompt, { maxTokens, bufferTokens }))
    spin(2000)
    expect(engine.stats().steps).toBeGreaterThan(0)
    expect(engine.stats().deliveries).toBe(1)
    await Promise.all(ids.map((id) => engine.inbox.ended(id)))
    for (const [index, prompt] of prompts.entries()) {
      expect(engine.inbox.text(ids[index]!)).toBe(predict(prompt, { maxTokens }).text)
    }
  })
})

describe('a process with nothing left to do', () => {
  const model = scriptedModelFile()

  it.each([
    ['ends beside an unread answer, not before an awaited one', false],
    ['is told of what it cancelled', true],
  ])('%s', async (_, cancelled) => {
    const maxTokens = 3000
    const { code, stdout, stderr } = await program('await-answer.mjs', { path: model(), maxTokens, cancelled })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const whole = predict('K1', { maxTokens }).text
    expect(JSON.parse(stdout)).toEqual({
      unread: whole.slice(0, 16),
      awaited: whole,
      ...(cancelled ? { reason: 'abort' } : {}),
    })
  })
})
