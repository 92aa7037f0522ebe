import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import { modelOptions, readModelOptions } from '../../lib/model/model-options.js'
import { readOptions } from '../../lib/model/option-rule.js'
import { generateOptions } from '../../lib/model/options.js'

const limits = { contextSize: 512, vocabularySize: 260, convertSchema: () => 'root ::= "x"' }
const read = (given: unknown) => readOptions(generateOptions, given, limits)

function failure(run: () => unknown): LlameroError {
  try {
    run()
  } catch (error) {
    if (error instanceof LlameroError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const wrongForNumbers = [NaN, Infinity, -Infinity, 1e999, '5', null, [], {}, true, 5n, 2 ** 53, -(2 ** 53), () => 1]
const wrongForIntegers = [...wrongForNumbers, 1.5, 0.1]
const wrongForBooleans = [0, 1, 'true', null, [], {}, NaN]
const wrongForTexts = [5, null, {}, true, [5], [null], '', [''], ['ok', '']]

const wrongValues: Record<keyof typeof generateOptions, readonly unknown[]> = {
  schema: [null, [], 5, 'x', true],
  json: wrongForBooleans,
  maxTokens: [...wrongForIntegers, 0, -1, 2 ** 31],
  stop: [...wrongForTexts, 'x'.repeat(257), Array(65).fill('x'), ['é'.repeat(129)], new Array(3)],
  ignoreEos: wrongForBooleans,
  seed: [...wrongForIntegers, -1, 2 ** 32 - 1],
  temperature: [...wrongForNumbers, -0.1, 101],
  topK: [...wrongForIntegers, -1, 2 ** 31],
  topP: [...wrongForNumbers, -0.01, 1.01],
  minP: [...wrongForNumbers, -0.01, 1.01],
  typicalP: [...wrongForNumbers, -0.01, 1.01],
  repeatPenalty: [...wrongForNumbers, 0, -1, 101],
  repeatLastN: [...wrongForIntegers, -2, 513],
  presencePenalty: [...wrongForNumbers, -101, 101],
  frequencyPenalty: [...wrongForNumbers, -101, 101],
  priority: [...wrongForIntegers, -1001, 1001],
  timeoutMs: [...wrongForIntegers, 0, -1, 2 ** 31],
  queueTimeoutMs: [...wrongForIntegers, 0, -1, 2 ** 31],
  cache: [null, [], 5, 'tenant', { key: 5 }, { key: null }, { key: 'x'.repeat(257) }, { key: '\ud800' }, { name: 'x' }],
  dry: [null, [], 5, true, { multiplier: NaN }, { lastN: 513 }, { breakers: ['x'.repeat(41)] }, { strength: 1 }],
  xtc: [null, [], 5, { probability: 1.1 }, { threshold: 0.6 }],
  mirostat: [null, [], 2, { version: 3 }, { tau: NaN }, { eta: -1 }],
  logitBias: [
    null,
    [],
    5,
    { 260: 1 },
    { '-1': 1 },
    { a: 1 },
    { '1.5': 1 },
    { '01': 1 },
    { 1: NaN },
    { 1: Infinity },
    { 1: '5' },
    { 1: null },
    { 1: 1001 },
    new Map([[260, 1]]),
    new Map([[1.5, 1]]),
    new Map(Array.from({ length: 1025 }, (_, i) => [i, 1])),
  ],
  logprobs: [...wrongForIntegers, -1, 21],
  grammar: [5, null, {}, [], true],
  overflow: [null, true, 'slide', 5, ''],
  keep: [...wrongForIntegers, -2, 513],
  adapters: [null, {}, 5, 'lora.gguf', [null], [5], [{}], [{ adapter: {} }], [{ scale: 1 }], Array(17)],
  suffix: [5, null, {}, [], true],
  progress: wrongForBooleans,
  speculation: [
    null,
    [],
    5,
    'on',
    { maxTokens: 0 },
    { maxTokens: 33 },
    { adaptive: 1 },
    { draft: 'x' },
    { ngram: true },
  ],
  signal: [null, {}, 'abort', { aborted: false }, new EventTarget()],
}

describe('options of generate and chat', () => {
  for (const [name, values] of Object.entries(wrongValues)) {
    it(`refuses every wrong kind of ${name} by name`, () => {
      for (const value of values) {
        const error = failure(() => read({ [name]: value }))
        expect(error.code, `${name}: ${String(value)}`).toBe('ERR_OPTION_INVALID')
        expect(String(error.details['option'])).toMatch(new RegExp(`^${name}`))
        expect(error.message).toContain(name)
        expect(error.details['expected']).toBeTruthy()
        expect(error.details['got']).toBeTruthy()
      }
    })
  }

  it.each([
    ['topP at its bounds', { topP: 0 }, { topP: 0 }],
    ['a stop as a lone string', { stop: 'END' }, { stop: ['END'] }],
    ['64 stops of 256 bytes', { stop: Array(64).fill('é'.repeat(128)) }, { stop: Array(64).fill('é'.repeat(128)) }],
    ['a lone surrogate in a stop', { stop: ['a\ud800'] }, { stop: ['a\ufffd'] }],
    ['undefined as absent', { topK: undefined }, { topK: 40 }],
    ['dry with its defaults', { dry: {} }, { dry: { multiplier: 0.8, base: 1.75, allowedLength: 2, lastN: -1 } }],
    ['the largest seed', { seed: 2 ** 32 - 2 }, { seed: 2 ** 32 - 2 }],
    ['-1 for the whole context', { repeatLastN: -1 }, { repeatLastN: -1 }],
  ])('accepts %s', (_title, given, expected) => {
    expect(read(given)).toMatchObject(expected)
  })

  it('accepts token ids as keys of an object and of a Map', () => {
    const { logitBias } = read({ logitBias: { 0: -1000, 259: 2.5 } })
    expect([...logitBias.tokens]).toEqual([0, 259])
    expect([...logitBias.values]).toEqual([-1000, 2.5])
    expect([...read({ logitBias: new Map([[7, 1]]) }).logitBias.tokens]).toEqual([7])
  })

  it('has the defaults of Ollama', () => {
    expect(read(undefined)).toMatchObject({
      maxTokens: undefined,
      stop: [],
      seed: undefined,
      temperature: 0.8,
      topK: 40,
      topP: 0.9,
      minP: 0,
      typicalP: 1,
      repeatPenalty: 1,
      repeatLastN: 64,
      presencePenalty: 0,
      frequencyPenalty: 0,
      dry: undefined,
      grammar: '',
    })
  })

  it.each([
    ['top_p', 'topP'],
    ['TOPK', 'topK'],
    ['temprature', 'temperature'],
    ['max-tokens', 'maxTokens'],
    ['num_predict', undefined],
    ['__proto__', undefined],
    ['constructor', undefined],
    ['suffix', undefined],
    ['adapters', undefined],
  ])('refuses the unknown name %s and suggests %s', (name, nearest) => {
    const error = failure(() => read(JSON.parse(`{${JSON.stringify(name)}: 1}`)))
    expect(error.code).toBe('ERR_OPTION_INVALID')
    expect(error.message).toContain(name)
    if (nearest !== undefined) expect(error.message).toContain(`"${nearest}"`)
  })

  it.each([[null], [[]], [5], ['x'], [true]])('refuses %j in place of options', (given) => {
    expect(failure(() => read(given)).details['option']).toBe('options')
  })

  it('never throws anything but ERR_OPTION_INVALID or ERR_GRAMMAR, and returns only finite numbers', () => {
    const names = fc.constantFrom(...Object.keys(generateOptions))
    fc.assert(
      fc.property(fc.dictionary(names, fc.anything()), (given) => {
        try {
          for (const value of Object.values(read(given))) {
            if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true)
          }
        } catch (error) {
          expect(error).toBeInstanceOf(LlameroError)
          expect(['ERR_OPTION_INVALID', 'ERR_GRAMMAR']).toContain((error as LlameroError).code)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('describes every option', () => {
    for (const rule of [...Object.values(generateOptions), ...Object.values(modelOptions)]) {
      expect(rule.doc).toMatch(/\.$/)
      expect(rule.range).not.toBe('')
    }
  })
})

describe('options of opening a model', () => {
  const wrong: Record<keyof typeof modelOptions, readonly unknown[]> = {
    contextSize: [...wrongForIntegers, 0, 15, 2 ** 24 + 1],
    parallel: [...wrongForIntegers, 0, 257],
    cacheTokens: [...wrongForIntegers, -1, 2 ** 24 + 1],
    cacheBytes: [...wrongForIntegers, -1, 2 ** 40 + 1],
    cacheDirectory: [5, null, {}, true, [], '', 'a\0b'],
    cacheDirectoryBytes: [...wrongForIntegers, -1, 2 ** 44 + 1],
    threads: [...wrongForIntegers, 0, 513],
    adaptThreads: wrongForBooleans,
    flashAttention: [null, true, 'yes', 1],
    kernels: [null, true, 'own', 1],
    keyType: [null, 'f8', 16],
    valueType: [null, 'q8', 16],
    gpuLayers: [...wrongForIntegers, -2],
    memoryMap: wrongForBooleans,
    rollback: [...wrongForIntegers, -1, 65],
    mtp: wrongForBooleans,
    queueLimit: [...wrongForIntegers, -1],
    signal: [null, {}, 'abort'],
    onProgress: [null, {}, 'f'],
  }
  for (const [name, values] of Object.entries(wrong)) {
    it(`refuses every wrong kind of ${name} by name`, () => {
      for (const value of values) {
        const error = failure(() => readModelOptions({ [name]: value }))
        expect(error.code).toBe('ERR_OPTION_INVALID')
        expect(error.details['option']).toBe(name)
      }
    })
  }

  it('refuses quantised values without flash attention', () => {
    expect(failure(() => readModelOptions({ flashAttention: 'off', valueType: 'q8_0' })).code).toBe(
      'ERR_OPTION_INVALID',
    )
    expect(readModelOptions({ flashAttention: 'on', valueType: 'q8_0' }).valueType).toBe('q8_0')
  })
})
