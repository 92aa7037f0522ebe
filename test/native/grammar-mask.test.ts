import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prepareSchema } from '../../lib/chat/schema/index.js'
import { checkGrammar } from '../../lib/model/grammar.js'
import { openModel, type Model } from '../../lib/model/index.js'
import type { NativeModel } from '../../lib/native-types.js'
import { gemma3Path, smollm2Path } from '../support/real-models.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { loadModel } from './bare-addon.mjs'
import { addonUnderTest, patience, scriptedModelFile } from './test-engine.js'

const built = existsSync(join(import.meta.dirname, '../../build/Release/llamero.node'))
const person = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 40 },
    note: { type: 'string' },
    age: { type: 'integer', minimum: 3, maximum: 1200 },
    colour: { enum: ['rot', 'grün'] },
    list: { type: 'array', items: { type: 'number' } },
  },
  required: ['name', 'note', 'age', 'colour', 'list'],
}
const answer =
  '{"name": "Ada Løve 😀lace", "note": "日本語 \\n \\u00e9 done", "age": 1194, "colour": "grün", "list": [1, -2.5e3]}'
const lines = 'root ::= line+ "end"\nline ::= [^\\n"é]{2,7} . "\\n"? | "\\u00e9" [α-ω]*'

async function tokensOf(model: NativeModel, text: string): Promise<Int32Array> {
  const options = { addSpecial: false } as Parameters<ReturnType<typeof addonUnderTest>['tokenize']>[2]
  return addonUnderTest().tokenize(model, [{ text, trusted: false }], options)
}

/** Tokens of which ours and llama.cpp's grammar do not say the same, behind each beginning of a text. */
async function differences(model: NativeModel, grammar: string, text: string): Promise<number[][]> {
  const addon = addonUnderTest()
  const tokens = await tokensOf(model, text)
  return Array.from({ length: tokens.length + 1 }, (_, count) => {
    const [ours, theirs] = [false, true].map((upstream) =>
      addon.grammarAllows(model, grammar, tokens.slice(0, count), upstream),
    )
    return Array.from(ours!.keys()).filter((token) => ours![token] !== theirs![token])
  })
}

const isWhole = (bytes: Uint8Array): boolean => !Buffer.from(bytes).toString().includes('\uFFFD')
/** Some bytes are in no text at all; llama.cpp takes them for beginnings of characters. */
const isPossible = (bytes: Uint8Array): boolean => bytes.every((byte) => byte < 0xf5 && byte !== 0xc0 && byte !== 0xc1)

describe.runIf(built)('what a grammar allows', () => {
  it.each([
    ['SmolLM2', smollm2Path, 1],
    ['Gemma 3', gemma3Path, 6],
  ])('is what llama.cpp says of each token of %s, but for tokens without text', async (_name, path, stride) => {
    const addon = addonUnderTest()
    const model = await loadModel(addon, await path())
    try {
      const schema = prepareSchema(person, (json) => addon.schemaToGrammar(json)).grammarSource
      for (const [grammar, text, compares] of [
        [schema, stride === 1 ? answer : answer.slice(0, 60), isPossible],
        // A set of all but é: llama.cpp forbids every character that begins with the same byte, if that comes alone.
        [lines, 'abc defghé\nééαβγ', isWhole],
      ] as const) {
        for (const tokens of await differences(model, grammar, text)) {
          const pieces = tokens.map((token) => addon.piece(model, token))
          // llama.cpp lets a control token stand for its name in a string; nobody would see it.
          expect(pieces.filter((piece) => piece.length > 0 && compares(piece))).toEqual([])
        }
      }
    } finally {
      addon.modelClose(model)
    }
  })

  const scripted = scriptedModelFile()

  it('is told quickly, however much text may follow', async () => {
    const addon = addonUnderTest()
    const model = await loadModel(addon, await smollm2Path())
    try {
      const text = prepareSchema({ type: 'string', maxLength: 2000 }, (json) => addon.schemaToGrammar(json))
      await addon.compileGrammar(model, text.grammarSource, new Int32Array())
      const times: number[] = []
      for (let length = 1; length < 60; length++) {
        const tokens = await tokensOf(model, `"${'word '.repeat(length)}`)
        const start = performance.now()
        addon.grammarAllows(model, text.grammarSource, tokens, false)
        times.push(performance.now() - start)
      }
      // llama.cpp takes 13 ms and more for each.
      expect(times.sort((a, b) => a - b)[30]).toBeLessThan(5 * patience)
    } finally {
      addon.modelClose(model)
    }
  })

  it('is an error, not the end of the process, behind what it does not allow', async () => {
    const addon = addonUnderTest()
    const model = await loadModel(addon, scripted())
    try {
      const wrong = await tokensOf(model, 'b')
      expect(() => addon.grammarAllows(model, 'root ::= "a"', wrong, false)).toThrow(
        expect.objectContaining({ code: 'ERR_GRAMMAR' }),
      )
    } finally {
      addon.modelClose(model)
    }
  })

  it('of 10,000 grammars the cache keeps 64, within 32 MiB', async () => {
    const addon = addonUnderTest()
    const model = await loadModel(addon, scripted())
    const grammarOf = (index: number): string =>
      prepareSchema({ type: 'object', properties: { [`p${index}`]: { type: 'string' } } }, (json) =>
        addon.schemaToGrammar(json),
      ).grammarSource
    const nothing = new Int32Array()
    const run = (from: number, to: number): void => {
      for (let index = from; index < to; index++) addon.grammarAllows(model, grammarOf(index), nothing, false)
    }
    try {
      run(0, 1000)
      const before = process.memoryUsage().rss
      run(1000, 10_000)
      expect(process.memoryUsage().rss - before).toBeLessThan(48 * 2 ** 20 * patience)
      const stats = addon.grammarStats(model)
      expect(stats).toMatchObject({ grammars: 64, misses: 10_000, hits: 0 })
      expect(stats.bytes).toBeLessThan(32 * 2 ** 20)
      addon.grammarAllows(model, grammarOf(9999), nothing, false)
      addon.grammarAllows(model, grammarOf(0), nothing, false)
      expect(addon.grammarStats(model)).toMatchObject({ hits: 1, misses: 10_001 })
    } finally {
      addon.modelClose(model)
    }
  })

  it('a grammar that grows without end is found anew from time to time', async () => {
    const addon = addonUnderTest()
    const model = await loadModel(addon, scripted())
    try {
      // Each character leads to a place of its own.
      const grammar = 'root ::= [a-z] root "x" | "!"'
      const letters = await tokensOf(model, 'abcdefghij'.repeat(3000))
      const allowed = addon.grammarAllows(model, grammar, letters, false)
      expect(allowed.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(26)
      expect(addon.grammarStats(model).bytes).toBeLessThan(8 * 2 ** 20)
    } finally {
      addon.modelClose(model)
    }
  })

  it('a grammar whose states would take a gigabyte is refused', async () => {
    const addon = addonUnderTest()
    const model = await loadModel(addon, await smollm2Path())
    try {
      const { vocabularySize } = addon.modelInfo(model)
      const texts = Array.from({ length: vocabularySize }, (_, id) => Buffer.from(addon.piece(model, id)).toString())
      const words = texts.filter((text) => /^[a-z]{9,}$/.test(text)).slice(0, 1500)
      // Every second character is a class of its own, for which each state keeps what follows.
      const characters = Array.from({ length: 9000 }, (_, index) => String.fromCharCode(0x4e00 + 2 * index)).join('')
      const grammar = `root ::= ${words.map((word) => `"${word}"`).join(' | ')}\nother ::= [${characters}]`
      expect(checkGrammar(grammar, vocabularySize)).toBe(grammar)
      expect(() => addon.grammarAllows(model, grammar, new Int32Array(), false)).toThrow(
        expect.objectContaining({ code: 'ERR_GRAMMAR', message: expect.stringMatching(/too many states/) as string }),
      )
    } finally {
      addon.modelClose(model)
    }
  })
})

describe.runIf(built)('a model that wants to break a schema', () => {
  const directory = temporaryDirectory()
  let model: Model
  beforeAll(async () => {
    const path = await writeScriptedModel(join(directory.path, 'scripted.gguf'))
    model = await openModel({ path }, { contextSize: 2048, parallel: 4 })
  })
  afterAll(() => model.close())

  it.each([
    ['an enum', { enum: ['x', 'y'] }],
    ['an object', { type: 'object', properties: { a: { enum: [1, 2] } }, required: ['a'] }],
    ['a tuple', { type: 'array', prefixItems: [{ type: 'boolean' }, { type: 'null' }] }],
    ['a date', { type: 'string', format: 'date' }],
    ['bounds', { type: 'integer', minimum: 17, maximum: 23 }],
    ['a pattern', { type: 'string', pattern: '^(ab|cd){2,3}-[0-9]{2}$' }],
  ])("can't: %s", async (_title, schema) => {
    const prepared = prepareSchema(schema, (json) => addonUnderTest().schemaToGrammar(json))
    const neighbours = Array.from({ length: 3 }, () => model.generate('K9', { temperature: 0 }))
    for (const temperature of [0, 1, 50]) {
      const { text } = await model.generate('K0', {
        grammar: prepared.grammarSource,
        temperature,
        topK: 0,
        seed: 7,
        maxTokens: 400,
      })
      await expect(prepared.validate(text)).resolves.toBeDefined()
    }
    for (const { text } of await Promise.all(neighbours)) expect(text).toBe('0123456789')
  })
})
