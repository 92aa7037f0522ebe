import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel, type Generation, type Model, type ModelMetrics } from '../../lib/model/index.js'
import { addonUnderTest, scriptedModelFile } from './test-engine.js'
import { predict } from '../support/script.js'

const path = scriptedModelFile()
const prompt = 'Once K1'
const endless = { maxTokens: 20_000, ignoreEos: true, temperature: 0, repeatPenalty: 1 }
let model: Model

beforeAll(async () => {
  model = await openModel({ path: path() }, { contextSize: 32_768, threads: 1 }, addonUnderTest())
})
afterAll(() => model.close())

/** Reads some of a generation, then leaves it as told; resolves once the engine could know. */
async function readSome(generation: Generation, leave: (generation: Generation) => unknown): Promise<void> {
  let seen = 0
  for await (const part of generation) {
    if (part.type === 'text' && (seen += part.text.length) > 20) break
  }
  await leave(generation)
}

const ways: Record<string, () => Promise<unknown>> = {
  break: () => readSome(model.generate(prompt, endless), () => undefined),
  'a throw in the loop': async () => {
    const read = async () => {
      for await (const part of model.generate(prompt, endless)) throw new Error(part.type)
    }
    await expect(read()).rejects.toThrow('text')
  },
  'abort()': async () => {
    const generation = model.generate(prompt, endless)
    setTimeout(() => generation.abort(), 20)
    const { finishReason, text } = await generation
    expect(finishReason).toBe('abort')
    expect(text).toBe(predict(prompt, { maxTokens: text.length }).text)
  },
  'abort() at once': async () => {
    const generation = model.generate(prompt, endless)
    generation.abort()
    expect(await generation).toMatchObject({ finishReason: 'abort', text: '' })
  },
  'a signal': async () => {
    const signal = AbortSignal.timeout(20)
    await expect(model.generate(prompt, { ...endless, signal })).rejects.toThrow(
      expect.objectContaining({ name: 'TimeoutError' }),
    )
  },
  'a signal that is aborted already': async () => {
    const reason = new Error('no')
    await expect(model.generate(prompt, { ...endless, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  },
  'dispose of the generation': () =>
    readSome(model.generate(prompt, endless), (generation) => generation[Symbol.asyncDispose]()),
  'the end of its iterator': async () => {
    const iterator = model.generate(prompt, endless)[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.return?.()
  },
  'the end of its web stream': async () => {
    const reader = model.generate(prompt, endless).toReadableStream().getReader()
    await reader.read()
    await reader.cancel()
  },
}

async function idle(): Promise<ModelMetrics> {
  for (let last = -1; ;) {
    const metrics = model.metrics()
    if (metrics.running + metrics.waiting + metrics.parked === 0 && metrics.steps === last) return metrics
    last = metrics.steps
    await sleep(30)
  }
}

describe('the engine spends nothing more on a generation that was left by', () => {
  it.each(Object.entries(ways))('%s', async (_, leave) => {
    const other = model.generate('K5', { ...endless, maxTokens: 400 })
    const before = model.metrics()
    await leave()
    expect((await other).text).toBe(predict('K5', { maxTokens: 400 }).text)
    const after = await idle()
    expect(after.outputTokens - before.outputTokens).toBeLessThan(endless.maxTokens / 2)
    expect(after.cellsUsed).toBe(0)
    await sleep(50)
    expect(model.metrics()).toEqual(after)
  })
})

describe('close', () => {
  it('ends what runs, waits and lies unread with ERR_DISPOSED, and is done when it resolves', async () => {
    const own = await openModel({ path: path() }, { contextSize: 8192, parallel: 2, threads: 1 }, addonUnderTest())
    const running = [1, 2, 3, 4].map(() => own.generate(prompt, { ...endless, maxTokens: 4000 }))
    const unread = own.generate(prompt, { maxTokens: 4000 })
    await running[0]!.text[Symbol.asyncIterator]().next()
    const settled = Promise.allSettled(running)
    await Promise.all([own.close(), own.close()])
    for (const outcome of await settled) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_DISPOSED' } })
    }
    await expect(unread).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    expect(() => own.generate(prompt)).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }))
    await own.close()
  })

  it('may come while prompts are still tokenized', async () => {
    const own = await openModel({ path: path() }, { threads: 1 }, addonUnderTest())
    const long = own.generate('some words '.repeat(500), { maxTokens: 1 })
    const tokens = own.tokenize('more words '.repeat(500))
    await own.close()
    await expect(long).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    await tokens.then(
      ({ length }) => expect(length).toBeGreaterThan(2000),
      (error: unknown) => expect(error).toMatchObject({ code: 'ERR_DISPOSED' }),
    )
  })
})
