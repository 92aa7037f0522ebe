import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NativeEmbedder, NativeEngine, NativeModel, NativeRequest } from '../../lib/native.js'
import { createEngine, loadModel, requestFor } from './bare-addon.mjs'
import { addonUnderTest, scriptedModelFile } from './test-engine.js'

const path = scriptedModelFile()
let model: NativeModel
let engine: NativeEngine
let embedder: NativeEmbedder
beforeAll(async () => {
  const addon = addonUnderTest()
  model = await loadModel(addon, path())
  engine = await createEngine(addon, model)
  const sizes = { contextSize: 64, batchSize: 64, maxInputs: 1, splits: true, threads: 1 }
  embedder = addon.embedderCreate(model, { ...sizes, flashAttention: 'auto', ownKernels: true })
})
afterAll(async () => {
  const addon = addonUnderTest()
  await Promise.all([addon.engineClose(engine), addon.embedderClose(embedder)])
  addon.modelClose(model)
})

const submit = (options: Partial<NativeRequest>) => addonUnderTest().engineSubmit(engine, requestFor([300], options))
const sampler = (options: Partial<NativeRequest['sampler']>) => ({ ...requestFor([300]).sampler, ...options })

// What reads a table of the model at an id that JavaScript gave.
const calls: readonly [what: string, call: (id: number) => unknown][] = [
  ['a piece', (id) => addonUnderTest().piece(model, id)],
  [
    'a text',
    (id) => addonUnderTest().detokenize(model, Int32Array.of(id), { removeSpecial: false, renderSpecial: true }),
  ],
  ['a prompt', (id) => submit({ tokens: Int32Array.of(300, id) })],
  ['a bias', (id) => submit({ sampler: sampler({ biasTokens: Int32Array.of(id), biasValues: new Float32Array(1) }) })],
  ['a token that is written out', (id) => submit({ preservedTokens: Int32Array.of(id) })],
  ['a trigger', (id) => submit({ sampler: sampler({ grammarTriggers: [{ kind: 'token', pattern: '', token: id }] }) })],
  ['a grammar', (id) => addonUnderTest().compileGrammar(model, 'root ::= "a"', Int32Array.of(id))],
  ['what a grammar allows', (id) => addonUnderTest().grammarAllows(model, 'root ::= .*', Int32Array.of(id), false)],
  [
    'an embedding',
    (id) =>
      addonUnderTest().embedderRun(embedder, {
        tokens: Int32Array.of(id),
        lengths: Int32Array.of(1),
        pooling: 'mean',
        normalize: true,
        dimensions: 0,
        cancelFlag: addonUnderTest().createCancelFlag(),
      }),
  ],
]

describe('an id beside the vocabulary', () => {
  it.each(calls)('is refused at once: %s', (_what, call) => {
    const { vocabularySize } = addonUnderTest().modelInfo(model)
    for (const id of [-1, -(2 ** 31), vocabularySize, 2 ** 31 - 1]) {
      expect(() => call(id)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_INVALID' }))
    }
  })
})
