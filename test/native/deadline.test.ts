import { describe, expect, it, vi } from 'vitest'
import { openModel } from '../../lib/model/index.js'
import type { NativeFinish } from '../../lib/native-types.js'
import { scriptedModelFile, testEngines, until } from './test-engine.js'

const engines = testEngines()
const modelFile = scriptedModelFile()
const long = { bufferTokens: 1_000_000 }

async function ending(engine: Awaited<ReturnType<typeof engines>>, id: number): Promise<NativeFinish> {
  await engine.inbox.ended(id)
  return engine.inbox.finish(id) as NativeFinish
}

describe('a request that runs out of time', () => {
  const idle = { running: 0, waiting: 0, parked: 0, cellsUsed: 0 }

  it('ends while it generates, with what it had, and frees its cells', async () => {
    const engine = await engines()
    const id = engine.submit(await engine.tokenize('K0'), { ...long, timeoutMs: 60 })
    const finish = await ending(engine, id)
    expect(finish).toMatchObject({ reason: 'error', errorCode: 'ERR_TIMEOUT' })
    expect(finish.outputTokens).toBeGreaterThan(0)
    expect(engine.inbox.text(id)).not.toBe('')
    expect(await until(engine, ({ running }) => running === 0)).toMatchObject(idle)
  })

  it('ends in the queue, and what runs goes on', async () => {
    const engine = await engines({ maxSequences: 1 })
    const running = engine.submit(await engine.tokenize('K0'), long)
    await engine.inbox.begun(running)
    const finish = await ending(engine, engine.submit(await engine.tokenize('K1'), { ...long, timeoutMs: 40 }))
    expect(finish).toMatchObject({ errorCode: 'ERR_TIMEOUT', outputTokens: 0, prefillMs: 0, decodeMs: 0 })
    expect(finish.queueMs).toBeGreaterThanOrEqual(40)
    const before = engine.inbox.tokens.get(running) ?? 0
    await engine.inbox.begun(running, before + 10)
    engine.cancel(running)
    expect(await ending(engine, running)).toMatchObject({ reason: 'abort' })
  })

  it('ends while nobody reads it, though the engine has nothing to do', async () => {
    const engine = await engines()
    const id = engine.submit(await engine.tokenize('K0'), { bufferTokens: 4, timeoutMs: 150 })
    await until(engine, ({ parked }) => parked === 1)
    // Nothing but a timer keeps the event loop awake for a parked request.
    const awake = setInterval(() => undefined, 10)
    expect(await ending(engine, id)).toMatchObject({ errorCode: 'ERR_TIMEOUT', outputTokens: 4 })
    clearInterval(awake)
    expect(await until(engine, ({ parked }) => parked === 0)).toMatchObject(idle)
  })

  it('makes room for the next one', async () => {
    const engine = await engines({ maxSequences: 1 })
    const first = engine.submit(await engine.tokenize('K0'), { ...long, timeoutMs: 50 })
    expect(await engine.answer(await engine.tokenize('K9'), { maxTokens: 10, ignoreEos: false })).toBe('0123456789')
    expect(engine.inbox.finish(first)).toMatchObject({ errorCode: 'ERR_TIMEOUT' })
  })
})

describe('a limit of the time in the queue', () => {
  it('ends what still waits then', async () => {
    const engine = await engines({ maxSequences: 1 })
    const running = engine.submit(await engine.tokenize('K0'), long)
    await engine.inbox.begun(running)
    const waiting = engine.submit(await engine.tokenize('K1'), { ...long, queueTimeoutMs: 30 })
    expect(await ending(engine, waiting)).toMatchObject({ errorCode: 'ERR_TIMEOUT', outputTokens: 0 })
    engine.cancel(running)
  })

  it('is no limit for what has begun', async () => {
    const engine = await engines()
    const id = engine.submit(await engine.tokenize('K0'), { ...long, queueTimeoutMs: 30 })
    await engine.inbox.begun(id)
    await new Promise((resolve) => setTimeout(resolve, 80))
    expect(engine.inbox.finish(id)).toBeUndefined()
    engine.cancel(id)
    expect(await ending(engine, id)).toMatchObject({ reason: 'abort' })
  })
})

it('a generation that runs out of time rejects with what it had come to', async () => {
  const model = await openModel({ path: modelFile() }, { parallel: 1 })
  const running = model.generate('K0', { temperature: 0, timeoutMs: 400 })
  // Texts are taken apart beside each other: of two requests in one turn either may come first.
  await vi.waitUntil(() => model.metrics().running === 1, { interval: 1 })
  const waiting = model.generate('K1', { temperature: 0, queueTimeoutMs: 20 })
  await expect(waiting).rejects.toMatchObject({
    code: 'ERR_TIMEOUT',
    details: { option: 'queueTimeoutMs', limitMs: 20, phase: 'queue', outputTokens: 0 },
  })
  await expect(running).rejects.toMatchObject({
    code: 'ERR_TIMEOUT',
    details: { option: 'timeoutMs', limitMs: 400, phase: 'decode', inputTokens: 2 },
  })
  expect((await model.generate('K9', { temperature: 0 })).text).toBe('0123456789')
  await model.close()
})
