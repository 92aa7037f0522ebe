import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  load,
  type Adapter,
  type GenerateOptions,
  type Model,
  type Result,
  type ScaledAdapter,
} from '../../lib/index.js'
import { writeGguf, text, type WriterTensor } from '../support/gguf-writer.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { loraFile, mergedWith, tinyLora, type TinyLora } from '../support/tiny-lora.js'
import { program } from './program.js'
import { spmVocabulary } from '../support/tiny-vocabulary.js'

const directory = temporaryDirectory()
const layers = 2
const width = 64
const vocabularySize = spmVocabulary().tokens.length

type Shape = readonly [inputs: number, outputs: number]
type Shapes = Readonly<Record<string, Shape>>

/** Every kind of matrix that a llama has, and the embedding. */
const everything: Shapes = Object.fromEntries<Shape>([
  ['token_embd.weight', [width, vocabularySize]],
  ['output.weight', [width, vocabularySize]],
  ...[0, 1].flatMap((layer): [string, Shape][] => [
    [`blk.${layer}.attn_q.weight`, [width, 64]],
    [`blk.${layer}.attn_k.weight`, [width, 32]],
    [`blk.${layer}.attn_v.weight`, [width, 32]],
    [`blk.${layer}.attn_output.weight`, [width, 64]],
    [`blk.${layer}.ffn_gate.weight`, [width, 96]],
    [`blk.${layer}.ffn_up.weight`, [width, 96]],
    [`blk.${layer}.ffn_down.weight`, [96, width]],
  ]),
])
const attention: Shapes = Object.fromEntries(Object.entries(everything).filter(([name]) => name.includes('attn_q')))

const first = tinyLora(everything, { rank: 4, alpha: 8, seed: 1 })
const second = tinyLora(attention, { rank: 2, alpha: 0, seed: 2, strength: 1 })

const prompt = 'the sky is blue and the sea is deep'
const greedy: GenerateOptions = { temperature: 0, maxTokens: 12, logprobs: 4, ignoreEos: true }
const open: Model[] = []

function write(name: string, bytes: Uint8Array): string {
  const path = join(directory.path, name)
  writeFileSync(path, bytes)
  return path
}

async function openModel(name: string, change?: (tensor: WriterTensor) => WriterTensor): Promise<Model> {
  const path = write(`${name}.gguf`, randomModel('llama', { layers, ...(change && { change }) }))
  const model = await load(path, { probe: false, contextSize: 1024, threads: 1, cacheTokens: 4096 })
  open.push(model)
  return model
}

afterAll(() => Promise.all(open.map((model) => model.close())))

interface Answer {
  readonly tokens: readonly number[]
  readonly logprobs: readonly (readonly { readonly token: number; readonly logprob: number }[])[]
  readonly cached: number
}

async function answer(model: Model, adapters: readonly (Adapter | ScaledAdapter)[], more: GenerateOptions = {}) {
  const { tokens, logprobs = [], usage } = await model.generate(prompt, { ...greedy, adapters, ...more })
  return { tokens: [...tokens], logprobs, cached: usage.cachedTokens }
}

function expectSame(found: Answer, expected: Answer, tolerance = 0.02): void {
  expect(found.tokens).toEqual(expected.tokens)
  for (const [index, row] of expected.logprobs.entries()) {
    for (const { token, logprob } of row) {
      const own = found.logprobs[index]?.find((other) => other.token === token)
      expect(own?.logprob ?? NaN, `token ${token} at ${index}`).toBeCloseTo(logprob, -Math.log10(2 * tolerance))
    }
  }
}

function merge(...parts: readonly (readonly [TinyLora, number])[]) {
  return (tensor: WriterTensor) => parts.reduce((sum, [lora, scale]) => mergedWith(lora, scale)(sum), tensor)
}

describe('a LoRA adapter', () => {
  let base: Model
  let one: Adapter
  let two: Adapter
  let alone: Answer
  beforeAll(async () => {
    base = await openModel('base')
    one = await base.adapter(write('first.gguf', loraFile(first)))
    two = await base.adapter(write('second.gguf', loraFile(second)))
    alone = await answer(base, [])
  })

  it('says what it is', () => {
    const numbers = first.pairs.reduce((sum, { a, b }) => sum + a.length + b.length, 0)
    const facts = { kind: 'lora', name: 'Tiny adapter', architecture: 'llama', invocationTokens: [] }
    expect(one.info).toEqual({ ...facts, sizeBytes: 4 * numbers })
  })

  it.each<[string, () => readonly (Adapter | ScaledAdapter)[], ReturnType<typeof merge>]>([
    ['alone', () => [one], merge([first, 1])],
    ['with a scale', () => [{ adapter: one, scale: 0.5 }], merge([first, 0.5])],
    ['with a negative scale', () => [{ adapter: one, scale: -0.75 }], merge([first, -0.75])],
    [
      'of which alpha is 0, so that the rank does not count',
      () => [two],
      merge([{ ...second, alpha: second.rank }, 1]),
    ],
    [
      'beside another',
      () => [one, { adapter: two, scale: 0.7 }],
      merge([first, 1], [{ ...second, alpha: second.rank }, 0.7]),
    ],
  ])('%s answers as a model into whose weights it was merged', async (title, adapters, change) => {
    const found = await answer(base, adapters())
    const merged = await openModel(title.replaceAll(' ', '-'), change)
    expectSame(found, await answer(merged, []))
    expect(found.logprobs).not.toEqual(alone.logprobs)
  })

  it('of scale 0 is the model alone, with its prefixes', async () => {
    const { cached, ...zero } = await answer(base, [{ adapter: one, scale: 0 }])
    const { cached: again, ...plain } = await answer(base, [])
    expect(cached).toBeGreaterThan(0)
    expect(again).toBeGreaterThan(0)
    expectSame({ ...zero, cached }, { ...plain, cached: again })
  })

  it('gives each of many requests at once what it gets alone', async () => {
    const sets: readonly (readonly (Adapter | ScaledAdapter)[])[] = [
      [],
      [one],
      [two],
      [{ adapter: one, scale: 0.3 }],
      [two, one],
    ]
    const expected: Answer[] = []
    for (const set of sets) expected.push(await answer(base, set))
    const many = Array.from({ length: 20 }, (_, index) => index % sets.length)
    const found = await Promise.all(many.map((index) => answer(base, sets[index] ?? [])))
    for (const [at, index] of many.entries()) {
      expectSame(found[at] as Answer, expected[index] as Answer)
    }
  })

  it('shares prefixes among requests of one set, in any order, and with no other set', async () => {
    const model = await openModel('prefixes')
    const [a, b] = [
      await model.adapter(write('a.gguf', loraFile(first))),
      await model.adapter(write('b.gguf', loraFile(second))),
    ]
    const sets: readonly (readonly (Adapter | ScaledAdapter)[])[] = [[], [a], [{ adapter: a, scale: 0.5 }], [b], [a, b]]
    for (const set of sets) expect((await answer(model, set)).cached).toBe(0)
    for (const set of [...sets, [b, a]]) expect((await answer(model, set)).cached).toBeGreaterThan(20)
  })
})

describe('adapters that take turns', () => {
  it('let streams without end go on side by side, low priority too', async () => {
    const model = await openModel('turns')
    const adapter = await model.adapter(write('turns-lora.gguf', loraFile(first)))
    const endless = { temperature: 0, ignoreEos: true }
    const streams = [
      model.generate(prompt, { ...endless, priority: 5 }),
      model.generate(prompt, { ...endless, adapters: [adapter] }),
      model.generate(prompt, { ...endless, adapters: [{ adapter, scale: 0.5 }], priority: -5 }),
    ]
    await Promise.all(
      streams.map(async (stream) => {
        let tokens = 0
        for await (const part of stream) {
          if (part.type === 'text') tokens += part.tokens.length
          if (tokens > 100) break
        }
        expect(tokens).toBeGreaterThan(100)
      }),
    )
  })

  it('say with proposed tokens what each says alone without', async () => {
    const model = await openModel('drafts')
    const adapter = await model.adapter(write('drafts-lora.gguf', loraFile(first)))
    const sets: readonly (readonly ScaledAdapter[])[] = [[], [{ adapter, scale: 1 }], [{ adapter, scale: 0.5 }]]
    const options = { temperature: 0, ignoreEos: true, maxTokens: 80 }
    const alone: Result[] = []
    for (const adapters of sets) {
      alone.push(await model.generate(prompt, { ...options, adapters, speculation: false, cache: { key: 'alone' } }))
    }
    const speculation = { adaptive: false, maxTokens: 8 }
    const together = await Promise.all(
      sets.map((adapters) => model.generate(prompt, { ...options, adapters, speculation })),
    )
    expect(together.map(({ tokens }) => tokens)).toEqual(alone.map(({ tokens }) => tokens))
    for (const { usage } of together) expect(usage.acceptedTokens).toBeGreaterThan(0)
  })
})

describe('a control vector', () => {
  const direction = Float32Array.from({ length: width }, (_, index) => Math.sin(index))

  it('is the same from numbers and from a file, and works by its scale', async () => {
    const model = await openModel('steered')
    const plain = await answer(model, [])
    const tensors = [{ name: 'direction.1', dimensions: [width], data: direction }]
    const file = write(
      'direction.gguf',
      writeGguf({ metadata: { 'general.architecture': text('controlvector') }, tensors }),
    )
    const fromFile = await model.controlVector(file)
    const fromNumbers = await model.controlVector({ directions: { 1: direction } })
    const doubled = await model.controlVector({ directions: new Map([[1, direction.map((value) => 2 * value)]]) })
    expect(fromFile.info).toMatchObject({ kind: 'control-vector', name: 'direction.gguf', sizeBytes: 4 * width })
    const steered = await answer(model, [fromFile])
    expect(steered.logprobs).not.toEqual(plain.logprobs)
    expectSame(await answer(model, [fromNumbers]), steered)
    expectSame(await answer(model, [{ adapter: fromFile, scale: 2 }]), await answer(model, [doubled]))
    expectSame(await answer(model, [fromFile, fromNumbers]), await answer(model, [doubled]))
    expectSame(await answer(model, [fromFile, { adapter: fromNumbers, scale: -1 }]), plain)
    expectSame(await answer(model, []), plain)
  })

  it('works beside a LoRA', async () => {
    const model = await openModel('both')
    const lora = await model.adapter(write('both-lora.gguf', loraFile(first)))
    const vector = await model.controlVector({ directions: { 1: direction } })
    const merged = await openModel('both-merged', mergedWith(first, 1))
    const onMerged = await merged.controlVector({ directions: { 1: direction } })
    expectSame(await answer(model, [lora, vector]), await answer(merged, [onMerged]))
  })
})

describe('closing', () => {
  const disposed = expect.objectContaining({ code: 'ERR_DISPOSED' }) as unknown

  it('an adapter lets its requests go on, and later ones are refused', async () => {
    const model = await openModel('closing')
    const adapter = await model.adapter(write('closing-lora.gguf', loraFile(first)))
    const expected = await answer(model, [adapter])
    const running = Array.from({ length: 4 }, () => answer(model, [adapter]))
    await adapter.close()
    await adapter.close()
    for (const each of await Promise.all(running)) expectSame(each, expected)
    expect(() => model.generate(prompt, { adapters: [adapter] })).toThrow(disposed)
    const again = await model.adapter(write('closing-lora.gguf', loraFile(first)))
    // The same file computes the same.
    expect((await answer(model, [again])).cached).toBeGreaterThan(20)
  })

  it('the model closes them too, and in any order nothing breaks', async () => {
    const model = await openModel('closed-first')
    const path = write('order-lora.gguf', loraFile(first))
    const [one, two] = [await model.adapter(path), await model.adapter(path)]
    const loading = model.adapter(path)
    const running = model.generate(prompt, { ...greedy, maxTokens: undefined, adapters: [one, two] })
    const closed = [model.close(), one.close()]
    await expect(running).rejects.toEqual(disposed)
    await expect(loading).rejects.toEqual(disposed)
    await Promise.all(closed)
    expect([one.closed, two.closed]).toEqual([true, true])
    await expect(model.adapter(path)).rejects.toEqual(disposed)
  })

  it('gives their memory back', async () => {
    const model = await openModel('memory')
    const wide = tinyLora({ 'output.weight': [width, vocabularySize] }, { rank: 2048 })
    const path = write('wide-lora.gguf', loraFile(wide))
    const use = async () => {
      const adapter = await model.adapter(path)
      await model.generate(prompt, { ...greedy, adapters: [adapter] })
      await adapter.close()
      return adapter.info.sizeBytes
    }
    for (let times = 0; times < 5; times++) await use()
    const before = process.memoryUsage.rss()
    let loaded = 0
    for (let times = 0; times < 120; times++) loaded += await use()
    // What one thread allocates and another frees, glibc keeps for a while: some 60 MB here.
    expect(loaded).toBeGreaterThan(400e6)
    expect(process.memoryUsage.rss() - before).toBeLessThan(loaded / 2)
  })

  it('is what `await using` does', async () => {
    const model = await openModel('using')
    const adapter = await model.adapter(write('using-lora.gguf', loraFile(first)))
    await adapter[Symbol.asyncDispose]()
    expect(adapter.closed).toBe(true)
  })
})

describe('a worker that ends', () => {
  it.each(['while it loads adapters', 'while it generates with adapters'])(
    '%s takes everything along',
    async (moment) => {
      const path = write('worker.gguf', randomModel('llama', { layers }))
      const adapter = write('worker-lora.gguf', loraFile(first))
      const ended = await program('adapter-worker.mjs', { path, adapter, moment })
      expect(ended).toEqual({ code: 0, signal: null, stdout: 'exited terminated exited terminated\n', stderr: '' })
    },
  )
})

describe('an adapter is refused', () => {
  it('when it belongs to another model', async () => {
    const [one, other] = [await openModel('one'), await openModel('other')]
    const adapter = await one.adapter(write('foreign-lora.gguf', loraFile(first)))
    expect(() => other.generate(prompt, { adapters: [adapter] })).toThrow(/an adapter of this model/)
  })

  it('when its load was cancelled', async () => {
    const model = await openModel('cancelled')
    const path = write('cancelled-lora.gguf', loraFile(first))
    const reason = new Error('enough')
    await expect(model.adapter(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const loading = model.adapter(path, { signal: controller.signal })
    controller.abort(reason)
    await expect(loading).rejects.toBe(reason)
  })
})
