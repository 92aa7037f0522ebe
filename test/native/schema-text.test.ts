import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prepareSchema } from '../../lib/chat/schema/index.js'
import { checkGrammar } from '../../lib/model/grammar.js'
import type { NativeModel } from '../../lib/native-types.js'
import { loadModel } from './bare-addon.mjs'
import { addonUnderTest, patience, scriptedModelFile } from './test-engine.js'

const built = existsSync(join(import.meta.dirname, '../../build/Release/llamero.node'))

describe.runIf(built)('the grammar of a schema', () => {
  const scripted = scriptedModelFile()
  let model: NativeModel
  let end: number
  beforeAll(async () => {
    model = await loadModel(addonUnderTest(), scripted())
    end = addonUnderTest().modelInfo(model).eosToken
  })
  afterAll(() => addonUnderTest().modelClose(model))

  const grammarOf = (schema: object): string =>
    prepareSchema(schema as Record<string, unknown>, (json) => addonUnderTest().schemaToGrammar(json)).grammarSource

  /** Whether a text is all of an answer that the grammar allows. */
  async function allows(grammar: string, text: string): Promise<boolean> {
    const options = { addSpecial: false } as Parameters<ReturnType<typeof addonUnderTest>['tokenize']>[2]
    const tokens = await addonUnderTest().tokenize(model, [{ text, trusted: false }], options)
    try {
      return addonUnderTest().grammarAllows(model, grammar, tokens, false)[end] === 1
    } catch {
      return false
    }
  }

  it.each<[object, readonly string[], readonly string[]]>([
    [
      { type: 'integer', minimum: -12, maximum: 105 },
      ['-12', '-1', '0', '7', '99', '100', '105'],
      ['-13', '106', '007', '1.5', '-0', '200'],
    ],
    [{ type: 'integer', exclusiveMinimum: 9, exclusiveMaximum: 1000 }, ['10', '999'], ['9', '1000']],
    [
      { type: 'number', minimum: 0.25, maximum: 3.5 },
      ['0.25', '0.3', '1', '2.999', '3.5', '3.50', '3'],
      ['0.24', '0.2', '3.51', '4', '0', '-1'],
    ],
    [{ type: 'number', exclusiveMinimum: 0 }, ['0.001', '5', '12.25'], ['0', '0.0', '-1']],
    [{ type: 'number', maximum: -1.5 }, ['-1.5', '-2', '-100.25'], ['-1.4', '0', '1']],
    [{ type: 'number', multipleOf: 0.01 }, ['1', '1.5', '1.25', '-0.05'], ['1.255']],
    [
      { type: 'string', minLength: 2, maxLength: 3 },
      ['"ab"', '"abc"', '"é😀"', '"\\n\\""'],
      ['"a"', '"abcd"', '"a\n"', '"\\x"'],
    ],
    [{ type: 'string', pattern: '^[a-z]+"\\\\$' }, ['"ab\\"\\\\"'], ['"ab"', '"ab"\\"']],
    [{ type: 'string', pattern: 'b' }, ['"abc"', '"b"'], ['"ac"']],
    [
      { type: 'string', format: 'date' },
      ['"2024-02-29"', '"1999-12-31"'],
      ['"2023-02-29"', '"2024-13-01"', '"2024-4-1"'],
    ],
    [
      { type: 'array', prefixItems: [{ type: 'null' }, { type: 'boolean' }] },
      ['[null,true]', '[null, false]'],
      ['[null]', '[true,null]'],
    ],
    [
      { type: 'array', items: { type: 'null' }, minItems: 1, maxItems: 2 },
      ['[null]', '[null, null]'],
      ['[]', '[null,null,null]'],
    ],
    [
      { properties: { a: { const: 1 }, b: { const: 2 } }, required: ['b'] },
      ['{"a":1,"b":2}', '{"b": 2}'].slice(1),
      ['{"a":1}', '{}'],
    ],
    [
      { properties: { a: {} }, required: ['a'], additionalProperties: { type: 'null' } },
      ['{"a":1,"x":null}'],
      ['{"a":1,"x":2}', '{"x":null}', '{"a":1,"\\":null}'],
    ],
    [
      { enum: ['a"b', 'c\\d', 'e\nf', null, { g: [1] }] },
      ['"a\\"b"', '"c\\\\d"', '"e\\nf"', 'null', '{"g":[1]}'],
      ['"a"', '{}'],
    ],
    [{ allOf: [{ type: ['string', 'null'] }, { enum: [null, 1] }] }, ['null'], ['1', '"1"']],
    [{ type: ['integer', 'null'] }, ['1', 'null'], ['1.5', 'true']],
    [{ $ref: '#/$defs/a~1b', $defs: { 'a/b': { const: 1 }, 'a-b': { const: 2 } } }, ['1'], ['2']],
  ])('%j', async (schema, good, bad) => {
    const grammar = grammarOf(schema)
    checkGrammar(grammar, 1000)
    for (const text of good) expect([text, await allows(grammar, text)]).toEqual([text, true])
    for (const text of bad) expect([text, await allows(grammar, text)]).toEqual([text, false])
  })

  it('bounds of numbers hold for every number', async () => {
    const bound = fc.integer({ min: -2000, max: 2000 }).map((n) => n / 8)
    await fc.assert(
      fc.asyncProperty(bound, bound, fc.array(bound, { minLength: 5 }), async (one, other, values) => {
        const [minimum, maximum] = [Math.min(one, other), Math.max(one, other)]
        const grammar = grammarOf({ type: 'number', minimum, maximum })
        for (const value of [...values, minimum, maximum, minimum + 0.125, maximum - 0.125]) {
          const inside = minimum <= value && value <= maximum
          expect([minimum, maximum, value, await allows(grammar, String(value))]).toEqual([
            minimum,
            maximum,
            value,
            inside,
          ])
        }
      }),
      { numRuns: 60 },
    )
  })

  it('R1, R2: at its limits it is one that the engine takes, within 250 ms and a little', async () => {
    const names = Array.from({ length: 256 }, (_, index) => `p${index}`)
    const start = performance.now()
    const grammar = grammarOf({ properties: Object.fromEntries(names.map((name) => [name, { type: 'null' }])) })
    checkGrammar(grammar, 1000)
    expect(await allows(grammar, '{"p0":null,"p17":null,"p255":null}')).toBe(true)
    expect(await allows(grammar, '{"p17":null,"p0":null}')).toBe(false)
    expect(performance.now() - start).toBeLessThan(2500 * patience)
  })
})
