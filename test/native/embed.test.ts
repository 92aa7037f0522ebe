import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel, type Model } from '../../lib/model/index.js'
import type { Addon, NativeEmbedder, NativeModel } from '../../lib/native-types.js'
import { randomModel } from '../support/random-model.js'
import { seededRandom } from '../support/seeded-random.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { loadModel } from './bare-addon.mjs'
import { addonDirectory, addonUnderTest } from './test-engine.js'

const directory = temporaryDirectory()
const words = ['hello', 'world', 'the', 'sky', 'is', 'blue', 'a1', 'b.c', 'xyz']

/** Texts of 0 to `most` words, the same for the same seed. */
function someTexts(count: number, most: number, seed: number): string[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () =>
    Array.from(
      { length: Math.floor(random() * (most + 1)) },
      () => words[Math.floor(random() * words.length)] ?? '',
    ).join(' '),
  )
}

/** Attention sums in half precision, in another order for another step; vectors of other texts are some 0.1 away. */
function expectClose(ours: readonly Float32Array[], theirs: readonly Float32Array[], within = 1e-3): void {
  expect(ours.map(({ length }) => length)).toEqual(theirs.map(({ length }) => length))
  for (const [index, vector] of ours.entries()) {
    const other = theirs[index] ?? new Float32Array()
    const worst = vector.reduce((most, value, at) => Math.max(most, Math.abs(value - (other[at] ?? Infinity))), 0)
    expect(worst, `input ${index}`).toBeLessThanOrEqual(within)
  }
}

const length = (vector: Float32Array) => Math.hypot(...vector)

/** A model for the tests of one group. */
function opened(architecture: 'bert' | 'llama', contextSize: number): () => Model {
  let model: Model
  beforeAll(async () => {
    const path = await directory.write(`${architecture}-${contextSize}.gguf`, randomModel(architecture))
    model = await openModel({ path }, { contextSize, threads: 1 }, addonUnderTest())
  })
  afterAll(() => model.close())
  return () => model
}

describe.each([
  ['bert', 512],
  ['llama', 1400],
] as const)('embedding with a tiny %s', (architecture, contextSize) => {
  const model = opened(architecture, contextSize)

  it('packs texts of all lengths and gives each the vector that it has alone, in order', async () => {
    const texts = someTexts(60, 120, 3)
    const { embeddings, usage } = await model().embed(texts)
    const alone = []
    for (const text of texts) alone.push(...(await model().embed(text)).embeddings)
    expectClose(embeddings, alone)
    for (const vector of embeddings) expect(length(vector)).toBeCloseTo(1, 5)
    expect(embeddings.some((vector, index) => index > 0 && vector[0] !== embeddings[0]?.[0])).toBe(true)
    expect(usage.inputTokens).toBeGreaterThan(60)
  })

  it.each(['none', 'cls', 'last'] as const)('does so with pooling %s', async (pooling) => {
    const texts = someTexts(20, 60, 4)
    const { embeddings } = await model().embed(texts, { pooling })
    const alone = []
    for (const text of texts) alone.push(...(await model().embed(text, { pooling })).embeddings)
    expectClose(embeddings, alone)
  })

  it('computes 256 short texts in a few steps', async () => {
    const texts = someTexts(256, 2, 5)
    const before = model().embeddingMetrics()
    const { usage } = await model().embed(texts)
    const after = model().embeddingMetrics()
    expect(after.inputs - before.inputs).toBe(256)
    expect(after.tokens - before.tokens).toBe(usage.inputTokens)
    expect(after.steps - before.steps).toBeLessThanOrEqual(Math.ceil(usage.inputTokens / 512) + 2)
    expect(after.waiting).toBe(0)
  })

  it('makes the same of a thousand texts as of each', async () => {
    const texts = someTexts(1000, 8, 7)
    const { embeddings } = await model().embed(texts)
    expect(embeddings).toHaveLength(1000)
    for (const index of [0, 1, 499, 998, 999]) {
      const { embeddings: alone } = await model().embed(texts[index] ?? '')
      expectClose(alone, embeddings.slice(index, index + 1))
    }
  })

  it('cuts vectors before it normalises them', async () => {
    const { embeddings } = await model().embed('hello world', { normalize: false })
    const { embeddings: cut } = await model().embed('hello world', { dimensions: 8 })
    const first = embeddings[0]?.slice(0, 8) ?? new Float32Array()
    expectClose(
      cut,
      [first].map((vector) => vector.map((value) => value / length(vector))),
    )
  })

  it('takes inputs as long as the context, cuts longer ones, and goes on with short ones', async () => {
    const { vocabularySize } = model().info
    const long = Array.from({ length: contextSize + 100 }, (_, index) => (index * 7) % vocabularySize)
    const short = [[5], [6, 7]]
    const [whole, cut, one, two] = (await model().embed([long.slice(0, contextSize), long, ...short])).embeddings
    const alone = await model().embed(short)
    expectClose([cut ?? new Float32Array()], [whole ?? new Float32Array()])
    expectClose([one ?? new Float32Array(), two ?? new Float32Array()], alone.embeddings)
    await expect(model().embed([long], { truncate: false })).rejects.toMatchObject({ code: 'ERR_CONTEXT_FULL' })
  })

  it('ends with the reason of a signal, and the others go on', async () => {
    const texts = someTexts(2000, 60, 8)
    const controller = new AbortController()
    const cancelled = model().embed(texts, { signal: controller.signal })
    const other = model().embed(texts.slice(0, 100))
    const before = model().embeddingMetrics()
    while (model().embeddingMetrics().steps < before.steps + 3) await new Promise((resolve) => setImmediate(resolve))
    controller.abort(new Error('enough'))
    await expect(cancelled).rejects.toThrow('enough')
    expectClose((await other).embeddings, (await model().embed(texts.slice(0, 100))).embeddings)
    expect(model().embeddingMetrics().inputs - before.inputs).toBeLessThan(2000)
  })
})

describe('a model that embeds', () => {
  it('rejects what runs when it is closed', async () => {
    const path = await directory.write('closing.gguf', randomModel('bert'))
    const model = await openModel({ path }, { threads: 1 }, addonUnderTest())
    const running = expect(model.embed(someTexts(5000, 60, 9))).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    while (model.embeddingMetrics().steps < 2) await new Promise((resolve) => setImmediate(resolve))
    const waiting = expect(model.embed('hello')).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
    await model.close()
    await Promise.all([running, waiting])
  })

  it('generates meanwhile', async () => {
    const path = await directory.write('both.gguf', randomModel('llama'))
    const model = await openModel({ path }, { threads: 1, contextSize: 512 }, addonUnderTest())
    const answer = model.generate('hello', { maxTokens: 20, temperature: 0, ignoreEos: true })
    const alone = await answer
    const [beside, { embeddings }] = await Promise.all([
      model.generate('hello', { maxTokens: 20, temperature: 0, ignoreEos: true }),
      model.embed(someTexts(50, 20, 10)),
    ])
    expect(beside.text).toBe(alone.text)
    expect(embeddings).toHaveLength(50)
    await model.close()
  })

  it('says so when its weights are no numbers, and lives on', async () => {
    const bytes = Buffer.from(randomModel('bert'))
    bytes.fill(0xff, bytes.length - 200_000)
    const model = await openModel({ path: await directory.write('nan.gguf', bytes) }, { threads: 1 }, addonUnderTest())
    for (let times = 0; times < 2; times++)
      await expect(model.embed(['hello', 'world'])).rejects.toMatchObject({ code: 'ERR_ENGINE_CRASHED' })
    await model.close()
  })

  it('works in a worker, which may end at any moment', async () => {
    const path = await directory.write('worker.gguf', randomModel('bert'))
    const program = new URL('embed-worker.mjs', import.meta.url)
    const start = () => new Worker(program, { workerData: { path, directory: addonDirectory } })
    const first = start()
    expect(await new Promise((resolve) => first.once('message', resolve))).toBe(64 * 300)
    for (const delay of [0, 1, 3, 5, 10]) {
      const worker = start()
      await new Promise((resolve) => worker.once('message', resolve))
      await new Promise((resolve) => setTimeout(resolve, delay))
      await worker.terminate()
    }
    expect(await first.terminate()).toBe(1)
  })
})

describe('the native embedder', () => {
  let addon: Addon
  let model: NativeModel
  let embedder: NativeEmbedder
  const options = {
    contextSize: 512,
    batchSize: 512,
    maxInputs: 128,
    splits: false,
    threads: 1,
    flashAttention: 'auto',
    ownKernels: true,
  } as const
  beforeAll(async () => {
    addon = addonUnderTest()
    model = await loadModel(addon, await directory.write('native.gguf', randomModel('bert')))
    embedder = addon.embedderCreate(model, options)
  })
  afterAll(async () => {
    await addon.embedderClose(embedder)
    addon.modelClose(model)
  })

  const request = () => ({
    tokens: Int32Array.of(1, 2, 3),
    lengths: Int32Array.of(1, 2),
    pooling: 'mean' as const,
    normalize: true,
    dimensions: 0,
    cancelFlag: addon.createCancelFlag(),
  })

  it.each([
    ['lengths that do not add up', { lengths: Int32Array.of(1, 3) }, 'ERR_INTERNAL'],
    ['a length of 0', { lengths: Int32Array.of(0, 3) }, 'ERR_CONTEXT_FULL'],
    ['a negative length', { lengths: Int32Array.of(-1, 4) }, 'ERR_CONTEXT_FULL'],
    ['no inputs', { tokens: new Int32Array(), lengths: new Int32Array() }, 'ERR_INTERNAL'],
    ['too many tokens', { tokens: new Int32Array(513), lengths: Int32Array.of(513) }, 'ERR_CONTEXT_FULL'],
    ['a token outside', { tokens: Int32Array.of(1, 2, 1_000_000) }, 'ERR_TOKEN_INVALID'],
    ['a negative token', { tokens: Int32Array.of(1, 2, -1) }, 'ERR_TOKEN_INVALID'],
    ['another pooling', { pooling: 'max' as 'mean' }, 'ERR_INTERNAL'],
    ['negative dimensions', { dimensions: -1 }, 'ERR_INTERNAL'],
  ])('refuses %s', (_, wrong, code) => {
    expect(() => addon.embedderRun(embedder, { ...request(), ...wrong })).toThrow(expect.objectContaining({ code }))
  })

  it.each([
    ['a context beyond the positions', { contextSize: 513 }],
    ['no context', { contextSize: 0 }],
    ['a batch below the inputs', { batchSize: 100 }],
    ['too many inputs', { maxInputs: 257 }],
    ['no threads', { threads: 0 }],
  ])('can not be made with %s', (_, wrong) => {
    expect(() => addon.embedderCreate(model, { ...options, ...wrong })).toThrow(
      expect.objectContaining({ code: 'ERR_INTERNAL' }),
    )
  })

  it('copies what it is given', async () => {
    const given = request()
    const running = addon.embedderRun(embedder, given)
    given.tokens.fill(0)
    expect(await running).toEqual(await addon.embedderRun(embedder, request()))
  })

  it('packs the inputs of calls that wait into the same steps, and each gets its own', async () => {
    const own = addon.embedderCreate(model, options)
    const long = { ...request(), tokens: new Int32Array(512 * 100).fill(5), lengths: new Int32Array(100).fill(512) }
    const running = addon.embedderRun(own, long)
    const calls = Array.from({ length: 100 }, (_, index) =>
      addon.embedderRun(own, { ...request(), tokens: Int32Array.of(2, 5 + (index % 40)), lengths: Int32Array.of(2) }),
    )
    const [first, ...others] = await Promise.all(calls)
    await running
    // Alone they would be 200; one may come before the long call, and two more steps hold the rest.
    expect(addon.embedderStats(own)).toMatchObject({ inputs: 200, waiting: 0 })
    expect(addon.embedderStats(own).steps).toBeLessThanOrEqual(110)
    expectClose(others.slice(39, 40), [first ?? new Float32Array()])
    expect(others[0]).not.toEqual(first)
    await addon.embedderClose(own)
  })

  it('rejects a call whose flag is raised', async () => {
    const given = request()
    addon.cancel(given.cancelFlag)
    await expect(addon.embedderRun(embedder, given)).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
  })

  it('rejects calls after its end, however often it is closed', async () => {
    const own = addon.embedderCreate(model, options)
    const running = addon.embedderRun(own, request()).catch((error: unknown) => error)
    await Promise.all([addon.embedderClose(own), addon.embedderClose(own)])
    await running
    await expect(addon.embedderRun(own, request())).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
  })
})
