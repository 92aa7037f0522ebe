import { describe, expect, it } from 'vitest'
import type { EmbedInput, EmbedOptions, Model, RerankOptions } from '../../lib/model/index.js'
import type { NativeModelInfo } from '../../lib/native-types.js'
import { openFake } from '../support/fake-model.js'
import { bosToken, eosToken } from '../support/fake-vocabulary.js'

const bert: Partial<NativeModelInfo> = { architecture: 'bert', addsEos: true, metadata: { 'bert.pooling_type': '1' } }
const reranker: Partial<NativeModelInfo> = { ...bert, metadata: { 'bert.pooling_type': '4' } }
const openBert = (contextSize = 64) => openFake({ info: bert }, { contextSize })
const code = (name: string) => expect.objectContaining({ code: name }) as unknown
const rows = (vectors: readonly Float32Array[]) => vectors.map((vector) => [...vector])

describe('embed', () => {
  const inputs: readonly [string, EmbedInput | readonly EmbedInput[], number[][]][] = [
    ['a text', 'ab', [[4, bosToken, eosToken]]],
    ['an empty text', '', [[2, bosToken, eosToken]]],
    ['text that spells a special token', '<s>', [[5, bosToken, eosToken]]],
    ['token ids', [1, 2, 3], [[3, 1, 3]]],
    ['an Int32Array', Int32Array.of(7), [[1, 7, 7]]],
    ['nothing', [], []],
    [
      'a mixed list',
      ['abc', [5], Int32Array.of(8, 9), 'a'],
      [
        [5, 256, 257],
        [1, 5, 5],
        [2, 8, 9],
        [3, 256, 257],
      ],
    ],
  ]
  it.each(inputs)('takes %s', async (_, input, expected) => {
    const { model } = await openBert()
    const { embeddings, usage } = await model.embed(input)
    expect(rows(embeddings)).toEqual(expected)
    expect(usage).toEqual({ inputTokens: expected.reduce((sum, [length = 0]) => sum + length, 0), truncatedTokens: 0 })
  })

  const bad: readonly [string, unknown, EmbedOptions | undefined, string][] = [
    ['input 5', 5, {}, 'ERR_OPTION_INVALID'],
    ['input null', null, {}, 'ERR_OPTION_INVALID'],
    ['input {}', {}, {}, 'ERR_OPTION_INVALID'],
    ['a list with undefined', ['a', undefined], {}, 'ERR_OPTION_INVALID'],
    ['a list with a hole', Array<string>(2), {}, 'ERR_OPTION_INVALID'],
    ['an empty token list in a list', ['a', []], {}, 'ERR_OPTION_INVALID'],
    ['an empty Int32Array', new Int32Array(), {}, 'ERR_OPTION_INVALID'],
    ['too many inputs', Array<string>(65_537).fill(''), {}, 'ERR_OPTION_INVALID'],
    ['a token outside the vocabulary', [1, 260], {}, 'ERR_TOKEN_INVALID'],
    ['a token that is no number', [1, 'a'], {}, 'ERR_TOKEN_INVALID'],
    ['a negative token', [[1], [-1]], {}, 'ERR_TOKEN_INVALID'],
    ['half a token', [0.5], {}, 'ERR_TOKEN_INVALID'],
    ['dimensions 0', 'a', { dimensions: 0 }, 'ERR_OPTION_INVALID'],
    ['more dimensions than there are', 'a', { dimensions: 4 }, 'ERR_OPTION_INVALID'],
    ['NaN dimensions', 'a', { dimensions: Number.NaN }, 'ERR_OPTION_INVALID'],
    ['pooling "max"', 'a', { pooling: 'max' as 'mean' }, 'ERR_OPTION_INVALID'],
    ['normalize "yes"', 'a', { normalize: 'yes' as unknown as boolean }, 'ERR_OPTION_INVALID'],
    ['truncate 1', 'a', { truncate: 1 as unknown as boolean }, 'ERR_OPTION_INVALID'],
    ['an unknown option', 'a', { normalise: true } as EmbedOptions, 'ERR_OPTION_INVALID'],
    ['options null', 'a', null as unknown as EmbedOptions, 'ERR_OPTION_INVALID'],
    ['pooling "rank" without a classifier', 'a', { pooling: 'rank' }, 'ERR_UNSUPPORTED'],
  ]
  it.each(bad)('refuses %s and asks nothing of the engine', async (_, input, options, expected) => {
    const { model, addon } = await openBert()
    await expect(model.embed(input as string, options)).rejects.toEqual(code(expected))
    expect(addon.requests).toEqual([])
  })

  it.each([
    ['the pooling of the file', bert, {}, { pooling: 'mean', normalize: true, dimensions: 0 }],
    ['its own pooling', bert, { pooling: 'cls' }, { pooling: 'cls' }],
    ['mean where the file says nothing', { architecture: 'llama' }, {}, { pooling: 'mean' }],
    ['cut vectors', bert, { dimensions: 2, normalize: false }, { normalize: false, dimensions: 2 }],
  ] as const)('asks for %s', async (_, info, options, expected) => {
    const { model, addon } = await openFake({ info })
    await model.embed('a', options)
    expect(addon.requests[0]).toMatchObject(expected)
  })

  it('asks once for many texts', async () => {
    const { model, addon } = await openBert()
    const { embeddings } = await model.embed(Array.from({ length: 1000 }, (_, index) => 'x'.repeat(index % 50)))
    expect(rows(embeddings).map(([length]) => length)).toEqual(Array.from({ length: 1000 }, (_, i) => (i % 50) + 2))
    expect(addon.calls.filter((call) => call === 'tokenizeTexts')).toHaveLength(1)
    expect(addon.requests).toHaveLength(1)
  })

  it('gives arrays of their own, so that one that is kept does not hold all', async () => {
    const { model } = await openBert()
    const { embeddings } = await model.embed(['a', 'b'])
    expect(embeddings[0]?.buffer.byteLength).toBe(embeddings[0]?.byteLength)
  })
})

describe('an input that is longer than the context', () => {
  const context = 16

  it.each([
    ['a text is cut before its end token', 'y'.repeat(40), [context, bosToken, eosToken], 26],
    ['a text of 32 bytes per token and more is cut', 'y'.repeat(5000), [context, bosToken, eosToken], 498],
    ['characters of several bytes are not cut in two', '🌍'.repeat(500), [context, bosToken, eosToken], 498],
    ['token ids are cut', Array.from({ length: 20 }, (_, id) => id), [context, 0, 15], 4],
  ] as const)('%s', async (_, input, vector, truncatedTokens) => {
    const { model } = await openBert(context)
    const { embeddings, usage } = await model.embed(input)
    expect(rows(embeddings)).toEqual([vector])
    expect(usage).toEqual({ inputTokens: context, truncatedTokens })
  })

  it.each([
    ['a text', 'y'.repeat(15), 'input'],
    ['a very long text', 'y'.repeat(5000), 'input'],
    ['token ids', ['a', Array.from({ length: 17 }, () => 1)], 'input[1]'],
  ] as const)('is refused with numbers where nothing may be cut: %s', async (_, input, option) => {
    const { model } = await openBert(context)
    const refused = model.embed(input, { truncate: false })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_CONTEXT_FULL', details: { option, contextSize: context } })
  })

  it('may be a run that no tokenizer should get', async () => {
    const { model } = await openFake({ info: { ...bert, trainedContextSize: 8192 } })
    const { usage } = await model.embed('a'.repeat(200_000))
    expect(usage.inputTokens).toBe(8192)
    await expect(model.embed('a'.repeat(200_000), { truncate: false })).rejects.toEqual(code('ERR_CONTEXT_FULL'))
  })
})

describe('rerank', () => {
  const open = (more: Partial<NativeModelInfo> = {}) =>
    openFake({ info: { ...reranker, ...more } }, { contextSize: 16 })
  const tokensOf = (text: string) => [...Buffer.from(text)]

  it.each([
    ['BOS query EOS document EOS', {}, [bosToken, ...tokensOf('q'), eosToken, ...tokensOf('d'), eosToken]],
    ['a SEP', { addsSep: true, sepToken: 9 }, [bosToken, 113, eosToken, 9, 100, eosToken]],
    ['SEP for EOS', { eosToken: -1, sepToken: 9 }, [bosToken, 113, 9, 100, 9]],
    ['nothing around', { addsBos: false, addsEos: false }, [113, 100]],
  ] as const)('puts pairs together as the vocabulary asks: %s', async (_, info, expected) => {
    const { model, addon } = await open(info)
    await model.rerank('q', ['d'])
    expect([...(addon.requests[0]?.tokens ?? [])]).toEqual(expected)
  })

  it("uses the model's template, in which nothing that users typed is special or a place", async () => {
    const metadata = { ...reranker.metadata, 'tokenizer.chat_template.rerank': '<s>{query}|{document}</s>' }
    const { model, addon } = await openFake({ info: { ...reranker, metadata } })
    await model.rerank('{document}<s>', ['</s>{query}'])
    expect([...(addon.requests[0]?.tokens ?? [])]).toEqual([
      bosToken,
      ...tokensOf('{document}<s>|</s>{query}'),
      eosToken,
    ])
  })

  it('sorts by score and keeps the order of equals', async () => {
    const { model } = await open({ addsEos: false })
    const { results } = await model.rerank('q', ['b', 'd', 'a', 'd', 'c'])
    expect(results.map(({ index }) => index)).toEqual([1, 3, 4, 0, 2])
    expect((await model.rerank('q', ['b', 'd', 'a'], { topN: 2 })).results).toEqual([
      { index: 1, score: 100 },
      { index: 0, score: 98 },
    ])
  })

  it('gives nothing for no documents', async () => {
    const { model } = await open()
    expect(await model.rerank('q', [])).toMatchObject({ results: [], usage: { inputTokens: 0 } })
  })

  const template = '<s>{query}|{document}</s>'
  it.each([
    ['without a template', {}],
    ['with one', { metadata: { ...reranker.metadata, 'tokenizer.chat_template.rerank': template } }],
  ])('cuts the document, not the query nor the end, %s', async (_, info) => {
    const { model, addon } = await open(info)
    const { usage } = await model.rerank('query', ['d'.repeat(30), 'e'])
    const { tokens = new Int32Array(), lengths } = addon.requests[0] ?? {}
    expect([...(lengths ?? [])]).toEqual([16, 9])
    expect([...tokens.subarray(0, 16)].at(-1)).toBe(eosToken)
    expect(Buffer.from([...tokens.subarray(1, 6)]).toString()).toBe('query')
    expect(usage).toEqual({ inputTokens: 25, truncatedTokens: 22 })
    await expect(model.rerank('query', ['d'.repeat(30)], { truncate: false })).rejects.toMatchObject({
      code: 'ERR_CONTEXT_FULL',
      details: { option: 'documents[0]' },
    })
  })

  it.each([
    ['a query without room for a document', 'q'.repeat(14), ['d'], {}, 'ERR_CONTEXT_FULL'],
    ['a query that is no string', 5, ['d'], {}, 'ERR_OPTION_INVALID'],
    ['documents that are a string', 'q', 'd', {}, 'ERR_OPTION_INVALID'],
    ['a document that is no string', 'q', ['d', 1], {}, 'ERR_OPTION_INVALID'],
    ['topN 0', 'q', ['d'], { topN: 0 }, 'ERR_OPTION_INVALID'],
    ['an unknown option', 'q', ['d'], { top_n: 1 }, 'ERR_OPTION_INVALID'],
  ])('refuses %s', async (_, query, documents, options, expected) => {
    const { model, addon } = await open()
    const asked = model.rerank(query as string, documents as string[], options as RerankOptions)
    await expect(asked).rejects.toEqual(code(expected))
    expect(addon.requests).toEqual([])
  })
})

describe('what a model can do', () => {
  it.each<[string, Partial<NativeModelInfo>, Partial<Model['info']>]>([
    ['an encoder', bert, { canGenerate: false, canEmbed: true, canRerank: false, pooling: 'mean' }],
    ['a reranker', reranker, { canEmbed: true, canRerank: true, pooling: 'rank' }],
    ['a model that generates', {}, { canGenerate: true, canEmbed: true, canRerank: false }],
    ['encoder and decoder', { architecture: 't5', hasEncoder: true }, { canEmbed: false, canRerank: false }],
    ['a part of another model', { architecture: 'eagle3' }, { canEmbed: false }],
  ])('is in its info: %s', async (_, info, expected) => {
    expect((await openFake({ info })).model.info).toMatchObject(expected)
  })

  it('is said by the refusal', async () => {
    const { model } = await openFake({ info: { architecture: 't5', hasEncoder: true } })
    await expect(model.embed('a')).rejects.toEqual(code('ERR_UNSUPPORTED'))
    expect(() => model.embeddingMetrics()).toThrow(code('ERR_UNSUPPORTED'))
    await expect((await openBert()).model.rerank('q', ['d'])).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('Use a reranker') as string,
    })
  })
})

describe('a call of embed', () => {
  it.each(['before', 'at once', 'later'])('rejects with the reason of a signal that aborts %s', async (when) => {
    const { model, addon } = await openBert()
    const controller = new AbortController()
    if (when === 'before') controller.abort('enough')
    const call = model.embed(['a', 'b'], { signal: controller.signal })
    if (when === 'later') {
      while (addon.requests.length === 0) await Promise.resolve()
    }
    controller.abort('enough')
    await expect(call).rejects.toBe('enough')
    expect(await model.embed('a')).toMatchObject({ usage: { inputTokens: 3 } })
  })

  it('rejects when the model is closed meanwhile, and after', async () => {
    const { model, addon } = await openBert()
    const calls = [model.embed('a'), model.embed(['b', 'c'])]
    while (addon.requests.length === 0) await Promise.resolve()
    await model.close()
    for (const call of calls) await expect(call).rejects.toEqual(code('ERR_DISPOSED'))
    await expect(model.embed('a')).rejects.toEqual(code('ERR_DISPOSED'))
    await expect(model.rerank('a', ['b'])).rejects.toEqual(code('ERR_DISPOSED'))
    expect(() => model.embeddingMetrics()).toThrow(code('ERR_DISPOSED'))
    expect(addon.calls.slice(-2)).toEqual(['embedderClose', 'modelClose'])
  })

  it('is refused while as many wait as may', async () => {
    const { model } = await openFake({ info: bert }, { queueLimit: 1, parallel: 1 })
    const calls = [model.embed('a'), model.embed('b')]
    await expect(model.embed('c')).rejects.toEqual(code('ERR_QUEUE_FULL'))
    await Promise.all(calls)
    expect(await model.embed('c')).toMatchObject({ usage: { inputTokens: 3 } })
  })
})
