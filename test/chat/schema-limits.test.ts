import { describe, expect, it } from 'vitest'
import { type GivenSchema, prepareJson, prepareSchema } from '../../lib/chat/schema/index.js'
import { LlameroError } from '../../lib/errors.js'

// What is refused must be refused before llama.cpp's converter sees it.
const converted: string[] = []
const prepare = (schema: unknown) =>
  prepareSchema(schema as GivenSchema, (json) => {
    converted.push(json)
    return 'root ::= "x"\n'
  })

function refusal(schema: unknown): LlameroError {
  const [start, before] = [performance.now(), converted.length]
  try {
    prepare(schema)
  } catch (error) {
    expect(performance.now() - start).toBeLessThan(250)
    expect(converted.length).toBe(before)
    expect(error).toBeInstanceOf(LlameroError)
    return error as LlameroError
  }
  throw new Error('the schema was accepted')
}

const nested = (depth: number): object =>
  Array.from({ length: depth }).reduce<object>((items) => ({ type: 'array', items }), { type: 'string' })
const numbered = <T>(count: number, value: (index: number) => T): Record<string, T> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, value(index)]))
const cyclic: { items?: unknown } = {}
cyclic.items = cyclic

describe('a schema that can be a danger is refused, with its place', () => {
  it.each<[string, unknown, string, RegExp]>([
    ['lengths the wrong way round', { minLength: 5, maxLength: 2 }, '', /minLength 5 is larger than maxLength 2/],
    ['counts the wrong way round', { items: { minItems: 3, maxItems: 1 } }, '/items', /minItems 3/],
    ['bounds the wrong way round', { minimum: 1, maximum: -1 }, '', /minimum 1/],
    ['a length beyond the limit', { maxLength: 2001 }, '/maxLength', /0 to 2000/],
    ['a count below 0', { minItems: -1 }, '/minItems', /0 to 2000/],
    ['a count that is no whole number', { minItems: 1.5 }, '/minItems', /whole number/],
    ['a repetition the wrong way round', { pattern: '^a{5,2}$' }, '/pattern', /\{5,2\}/],
    ['look-behind', { pattern: '(?<=x)*' }, '/pattern', /look-around/],
    ['a back-reference', { pattern: '^(a)\\1$' }, '/pattern', /"\\1"/],
    ['a long pattern', { pattern: 'a'.repeat(513) }, '/pattern', /512/],
    ['a pattern that grows', { pattern: '^((a{1,1000}){1,1000}){1,1000}$' }, '/pattern', /too large/],
    ['a pattern in a pattern in a …', { pattern: '('.repeat(100) + ')'.repeat(100) }, '/pattern', /nested/],
    ['1,000-deep arrays', nested(1000), '/items'.repeat(33), /32 levels/],
    ['5,000-deep arrays', nested(5000), '', /nested without end|65536/],
    ['50,000-deep arrays', JSON.parse('{"items":'.repeat(50_000) + '{}' + '}'.repeat(50_000)), '', /nested|bytes/],
    ['a schema that holds itself', cyclic, '', /nested without end/],
    ['a deep constant', { const: JSON.parse('['.repeat(40) + ']'.repeat(40)) }, '/const', /32 levels/],
    ['3,000 optional properties', { properties: numbered(3000, () => ({})) }, '', /3000 optional/],
    [
      'optional properties of two schemas',
      {
        allOf: [0, 1].map((n) => ({
          properties: Object.fromEntries(Object.keys(numbered(200, () => 0)).map((key) => [`${n}${key}`, true])),
        })),
      },
      '/allOf/0',
      /400 optional/,
    ],
    ['a reference to itself', { $ref: '#' }, '', /leads back to itself/],
    [
      'references in a circle',
      { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } },
      '/$defs/a',
      /leads back/,
    ],
    [
      'a union with itself',
      { $ref: '#/$defs/a', $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'null' }] } } },
      '',
      /leads back/,
    ],
    ['a reference to nowhere', { $ref: '#/$defs/none' }, '', /refers to nothing/],
    ['a reference to what is no schema', { $ref: '#/required', required: ['a'] }, '', /refers to nothing/],
    ['a reference to an inherited name', { $ref: '#/constructor' }, '', /refers to nothing/],
    [
      'a remote reference',
      { properties: { a: { $ref: 'https://example.com/a.json' } } },
      '/properties/a',
      /no reference into this schema/,
    ],
    ['a type that is none', { type: 'zzz' }, '/type', /one of null/],
    ['no type', { type: [] }, '/type', /no type/],
    ['an empty enum', { properties: { a: { enum: [] } } }, '/properties/a/enum', /no value/],
    ['a long enum', { enum: Array.from({ length: 1025 }, (_, i) => i) }, '/enum', /1024/],
    ['an empty union', { anyOf: [] }, '/anyOf', /no schema/],
    ['a large schema', { description: 'x', enum: ['y'.repeat(70_000)] }, '', /65536/],
    ['what nothing meets', { allOf: [{ type: 'string' }, { type: 'number' }] }, '', /nothing meets it/],
    ['false', { properties: { a: false }, required: ['a'] }, '', /nothing meets it/],
    ['properties that are no object', { properties: [] }, '/properties', /must be an object/],
    ['a schema that is a number', { properties: { a: 5 } }, '/properties/a', /must be an object/],
    ['required that is a word', { required: 'a' }, '/required', /must be an array/],
    [
      'keywords that cannot be followed',
      { patternProperties: { '(a+)+$': {} } },
      '',
      /patternProperties is not supported/,
    ],
    [
      'unions of unions of unions …',
      { allOf: Array.from({ length: 20 }, () => ({ anyOf: [{ minLength: 1 }, { maxLength: 5 }] })) },
      '',
      /more than 10000 parts/,
    ],
  ])('%s', (_title, schema, pointer, reason) => {
    const error = refusal(schema)
    expect(error.code).toBe('ERR_SCHEMA_UNSUPPORTED')
    expect(error.message).toMatch(reason)
    expect(error.details['pointer']).toBe(pointer)
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a string', '{}'],
    ['an array', []],
    ['a function', () => undefined],
    ['true', true],
  ])('%s is no schema', (_title, given) => {
    expect(refusal(given).code).toBe('ERR_OPTION_INVALID')
  })

  it('a schema of a library that tells no JSON Schema says what to do', () => {
    const old = { '~standard': { version: 1, vendor: 'zod', validate: (value: unknown) => ({ value }) } }
    expect(refusal(old).message).toMatch(/zod from 4\.2/)
  })
})

describe('a schema at its limits is taken', () => {
  it.each<[string, unknown]>([
    ['1,024 values', { enum: Array.from({ length: 1024 }, (_, i) => i) }],
    ['256 optional properties', { properties: numbered(256, () => ({ type: 'null' })) }],
    [
      'many required properties',
      { properties: numbered(1000, () => ({ type: 'null' })), required: Object.keys(numbered(1000, () => 0)) },
    ],
    ['31 arrays', nested(31)],
    ['a length of 2,000', { minLength: 2000, maxLength: 2000 }],
    ['any JSON', {}],
  ])('%s', (_title, schema) => {
    expect(prepare(schema).grammarSource).toContain('root')
  })

  it('and so is any JSON object', () => {
    expect(prepareJson(() => 'root ::= "x"\n').json).toEqual({ type: 'object' })
  })
})

describe('a property with a name of JavaScript is data', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s', async (name) => {
    const schema = JSON.parse(
      `{"type":"object","properties":{"${name}":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}},"required":["${name}"]}`,
    ) as object
    const { validate } = prepare(schema)
    expect(converted.at(-1)).toContain(`"${name}":`)
    const value = await validate(`{"${name}":{"x":1}}`)
    expect(JSON.stringify(value)).toBe(`{"${name}":{"x":1}}`)
    expect(({} as { x?: unknown }).x).toBeUndefined()
    await expect(validate('{}')).rejects.toMatchObject({ code: 'ERR_OUTPUT_INVALID' })
    await expect(validate(`{"${name}":{"x":"y"}}`)).rejects.toMatchObject({ code: 'ERR_OUTPUT_INVALID' })
  })
})
