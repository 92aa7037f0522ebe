import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { prepareJson, prepareSchema, type GivenSchema } from '../../lib/chat/schema/index.js'
import { openModel, type Model } from '../../lib/model/index.js'
import { smollm2Path } from '../support/real-models.js'
import { addonUnderTest } from './test-engine.js'

const built = existsSync(join(import.meta.dirname, '../../build/Release/llamero.node'))
const convert = (json: string): string => addonUnderTest().schemaToGrammar(json)

const short = { type: 'string', maxLength: 20 }
const object = (properties: Record<string, unknown>, optional: string[] = []): GivenSchema => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
})

/** Twenty schemas; strings and arrays are bounded, so that answers end. */
const schemas: readonly (readonly [string, GivenSchema])[] = [
  ['flat', object({ name: short, age: { type: 'integer' }, tall: { type: 'boolean' }, none: { type: 'null' } })],
  ['nested', object({ a: object({ b: object({ c: object({ d: short }) }) }) })],
  [
    'enums',
    object({ colour: { enum: ['red', 'green', 'blue'] }, mixed: { enum: [1, 'one', null, true, { x: [1] }] } }),
  ],
  ['arrays', object({ list: { type: 'array', items: short, minItems: 2, maxItems: 4 } })],
  [
    'arrays in arrays',
    { type: 'array', items: { type: 'array', items: { type: 'integer' }, maxItems: 3 }, maxItems: 3 },
  ],
  [
    'a union',
    {
      anyOf: [
        object({ kind: { const: 'cat' }, lives: { type: 'integer' } }),
        object({ kind: { const: 'dog' } }),
        { type: 'null' },
      ],
    },
  ],
  [
    'a union beside properties',
    {
      ...object({ id: { type: 'integer' } }),
      additionalProperties: undefined,
      anyOf: [
        { properties: { a: short }, required: ['a'] },
        { properties: { b: { type: 'boolean' } }, required: ['b'] },
      ],
    },
  ],
  [
    'integers with bounds',
    object({
      low: { type: 'integer', minimum: -3, maximum: 17 },
      high: { type: 'integer', exclusiveMinimum: 1899, maximum: 2100 },
    }),
  ],
  [
    'numbers with bounds',
    object({
      share: { type: 'number', minimum: 0, maximum: 1 },
      degrees: { type: 'number', exclusiveMinimum: -273.15, exclusiveMaximum: 99.5 },
      price: { type: 'number', minimum: 0, multipleOf: 0.01 },
    }),
  ],
  [
    'references',
    {
      $ref: '#/$defs/pair',
      $defs: {
        point: object({ x: { type: 'integer' }, y: { type: 'integer' } }),
        pair: object({ from: { $ref: '#/$defs/point' }, to: { $ref: '#/$defs/point' } }),
      },
    },
  ],
  [
    'a recursive reference',
    {
      $ref: '#/$defs/sum',
      $defs: {
        sum: {
          anyOf: [
            { type: 'integer', minimum: 0, maximum: 99 },
            { type: 'array', items: { $ref: '#/$defs/sum' }, maxItems: 2 },
          ],
        },
      },
    },
  ],
  [
    'optional properties',
    object({ a: short, b: { type: 'integer' }, c: { type: 'boolean' }, d: { type: 'null' } }, ['a', 'c', 'd']),
  ],
  [
    'patterns',
    object({
      code: { type: 'string', pattern: '^[A-Z]{3}-\\d{4}$' },
      version: { type: 'string', pattern: '^v(0|[1-9]\\d{0,2})\\.(\\d|[1-9]\\d)(-(alpha|beta))?$' },
    }),
  ],
  ['constants', object({ version: { const: 2 }, unit: { const: '"°C" \\ \n' }, flags: { const: [true, null] } })],
  [
    'tuples',
    { type: 'array', prefixItems: [short, { type: 'integer' }, { type: 'boolean' }], items: false, minItems: 3 },
  ],
  [
    'additional properties',
    {
      type: 'object',
      properties: { id: { type: 'integer' } },
      required: ['id'],
      propertyNames: { enum: ['id', 'red', 'green', 'blue'] },
      additionalProperties: { type: 'boolean' },
    },
  ],
  [
    'lengths',
    object({
      initials: { type: 'string', minLength: 2, maxLength: 3 },
      title: { type: 'string', minLength: 10, maxLength: 30 },
    }),
  ],
  [
    'dates',
    object({
      day: { type: 'string', format: 'date' },
      at: { type: 'string', format: 'date-time' },
      clock: { type: 'string', format: 'time' },
      id: { type: 'string', format: 'uuid' },
    }),
  ],
  [
    'allOf',
    {
      allOf: [
        { properties: { a: short }, required: ['a'] },
        { properties: { a: { minLength: 3 }, b: { type: 'integer', maximum: 5 } }, required: ['b'] },
      ],
    },
  ],
  [
    'zod',
    z.object({
      address: z.ipv4(),
      size: z.enum(['S', 'M', 'L']),
      at: z.iso.date().transform((day) => new Date(day)),
      tags: z
        .array(
          z
            .string()
            .regex(/^[a-z]+$/)
            .max(8),
        )
        .max(3),
    }),
  ],
]

describe.runIf(built)('answers of a real model at temperature 1', () => {
  let model: Model
  beforeAll(async () => {
    model = await openModel({ path: await smollm2Path() }, { contextSize: 16_384, parallel: 10 })
  })
  afterAll(() => model.close())

  it.each(schemas)(
    'meet their schema, ten of ten: %s',
    async (_title, given) => {
      const prepared = prepareSchema(given, convert)
      const seeds = Array.from({ length: 10 }, (_, seed) => seed)
      const results = await Promise.all(
        seeds.map((seed) =>
          model.chat('Make up an example record as JSON.', {
            grammar: prepared.grammarSource,
            temperature: 1,
            topK: 0,
            topP: 1,
            minP: 0,
            seed,
            maxTokens: 1500,
          }),
        ),
      )
      for (const { text, finishReason } of results) {
        expect(finishReason).toBe('stop')
        await expect(prepared.validate(text)).resolves.toBeDefined()
      }
    },
    300_000,
  )

  it('transforms of a library apply to the value', async () => {
    const day = z.object({ at: z.iso.date().transform((text) => new Date(text)) })
    const prepared = prepareSchema(day, convert)
    const { text } = await model.chat('When?', { grammar: prepared.grammarSource, maxTokens: 100 })
    const value = (await prepared.validate(text)) as { at: Date }
    expect(value.at).toBeInstanceOf(Date)
  })

  it('any JSON object is one', async () => {
    const prepared = prepareJson(convert)
    const { text } = await model.chat('A small JSON object with a name, please.', {
      grammar: prepared.grammarSource,
      temperature: 0,
      maxTokens: 300,
    })
    expect(text).toMatch(/^\{/)
  })
})
