import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  parseModelfile,
  parameterOptions,
  parameters,
  printModelfile,
  readRecipe,
  recipeInstructions,
  type ParameterName,
  type Recipe,
} from '../../lib/modelfile/index.js'
import { generateOptions, modelOptions } from '../../lib/model/index.js'
import { readOptions } from '../../lib/model/option-rule.js'
import { valuesOf } from './arbitrary.js'
import { failure } from './failure.js'

const recipe = (text: string): Recipe => readRecipe(parseModelfile(`FROM m\n${text}`))
const parametersOf = (text: string) => recipe(text).parameters
const rest = { drafts: [], licenses: [], messages: [], parameters: {}, deprecated: [] }

describe('a recipe', () => {
  it.each<[string, string, Partial<Recipe>]>([
    ['every FROM', 'FROM ./mmproj.gguf', { from: ['m', './mmproj.gguf'] }],
    ['the last ADAPTER', 'ADAPTER a\nADAPTER b', { adapter: 'b' }],
    ['every DRAFT', 'DRAFT a\nDRAFT b', { drafts: ['a', 'b'] }],
    ['the last TEMPLATE', 'TEMPLATE a\nTEMPLATE b', { template: 'b' }],
    ['the last SYSTEM, also an empty one', 'SYSTEM a\nSYSTEM ""', { system: '' }],
    ['the last RENDERER and PARSER', 'RENDERER a\nPARSER b\nRENDERER c', { renderer: 'c', parser: 'b' }],
    ['the last REQUIRES', 'REQUIRES 0.1.0\nREQUIRES v0.14.0-rc.1+b.01', { requires: 'v0.14.0-rc.1+b.01' }],
    ['every LICENSE', 'LICENSE a\nLICENSE a', { licenses: ['a', 'a'] }],
    [
      'every MESSAGE',
      'MESSAGE user a\nMESSAGE assistant b',
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'b' },
        ],
      },
    ],
    ['the last number', 'PARAMETER top_k 1\nPARAMETER top_k 2', { parameters: { top_k: 2 } }],
    ['every stop', 'PARAMETER stop a\nPARAMETER stop " b"', { parameters: { stop: ['a', ' b'] } }],
    [
      'no deprecated parameter, but its name',
      'PARAMETER mirostat 2\nPARAMETER f16_kv x\nPARAMETER mirostat 1',
      { deprecated: ['mirostat', 'f16_kv'] },
    ],
  ])('has %s', (_rule, text, expected) => expect(recipe(text)).toEqual({ from: ['m'], ...rest, ...expected }))

  it.each([
    ['an empty FROM', 'FROM ""', '(line 2): FROM is empty'],
    ['no version', 'REQUIRES 1.2.3.4', '(line 2): requires must be a valid semver (e.g. 0.14.0); here it is "1.2.3.4"'],
    ['a version with leading zeros', 'REQUIRES 0.014.0', 'requires must be a valid semver'],
    ['a prerelease with leading zeros', 'REQUIRES 0.1.0-01', 'requires must be a valid semver'],
    ['a prerelease behind less than three numbers', 'REQUIRES 0.1-rc', 'requires must be a valid semver'],
    ['a version of more than 256 characters', `REQUIRES 1.0.0-${'a'.repeat(251)}`, 'requires must be a valid semver'],
    ['an unknown parameter', 'SYSTEM a\nPARAMETER tfs_z 1', "(line 3): unknown parameter 'tfs_z'; known are num_ctx"],
    ['a name in another case', 'PARAMETER Top_k 1', "(line 2): unknown parameter 'Top_k'"],
    ['a name of every object', 'PARAMETER constructor 1', "(line 2): unknown parameter 'constructor'"],
    ['too many stops', 'PARAMETER stop a\n'.repeat(65), '(line 66): stop may be set up to 64 times'],
  ])('with %s is refused', (_name, text, message) => {
    expect(failure(() => recipe(text)).message).toContain(message)
  })

  it('needs a FROM, with and without places', () => {
    expect(failure(() => readRecipe([{ type: 'system', value: 'a' }])).message).toMatch(/^no FROM line/)
    expect(readRecipe([{ type: 'from', value: 'm' }])).toEqual({ from: ['m'], ...rest })
  })
})

describe('a value of a parameter', () => {
  it.each([
    ['num_ctx', '4096', 4096],
    ['num_ctx', '+16', 16],
    ['num_ctx', '16777216', 16_777_216],
    ['seed', '-1', -1],
    ['num_predict', '-2', -2],
    ['num_thread', '0', 0],
    ['num_keep', '-1', -1],
    ['repeat_last_n', '-0', 0],
    ['temperature', '0.7', 0.7],
    ['temperature', '.5', 0.5],
    ['temperature', '1.', 1],
    ['top_p', '1e-2', 0.01],
    ['presence_penalty', '-1.5', -1.5],
    ['use_mmap', 'T', true],
    ['use_mmap', '1', true],
    ['use_mmap', 'False', false],
    ['use_mmap', 'f', false],
    ['stop', '"<|end|>\n"', ['<|end|>\n']],
    ['stop', '12', ['12']],
  ])('%s %s is read as %j', (name, text, value) => {
    expect(parametersOf(`PARAMETER ${name} ${text}`)).toEqual({ [name]: value })
  })

  it.each([
    ['num_ctx', 'many', 'invalid int value [many]'],
    ['num_ctx', '4096.0', 'invalid int value [4096.0]'],
    ['num_ctx', '0x10', 'invalid int value [0x10]'],
    ['num_ctx', '""', 'invalid int value []'],
    ['num_ctx', '1 2', 'invalid int value [1 2]'],
    ['num_ctx', '99999999999', 'num_ctx must be from 16 to 16777216; here it is 99999999999'],
    ['num_ctx', '15', 'num_ctx must be from 16 to 16777216; here it is 15'],
    ['seed', '4294967295', 'seed must be from 0 to 4294967294, or less for none; here it is 4294967295'],
    ['seed', '-9'.padEnd(400, '9'), 'seed must be'],
    ['repeat_last_n', '-2', 'repeat_last_n must be from -1 to 16777216; here it is -2'],
    ['temperature', 'warm', 'invalid float value [warm]'],
    ['temperature', '1e', 'invalid float value [1e]'],
    ['temperature', '.', 'invalid float value [.]'],
    ['temperature', 'NaN', 'invalid float value [NaN]'],
    ['temperature', 'Infinity', 'invalid float value [Infinity]'],
    ['temperature', '1e999', 'temperature must be from 0 to 100; here it is 1e999'],
    ['top_p', '1.01', 'top_p must be from 0 to 1; here it is 1.01'],
    ['use_mmap', 'yes', 'invalid bool value [yes]'],
    ['stop', '""', 'stop must be a text of 1 to 256 bytes; here it has 0'],
    ['stop', '漢'.repeat(86), 'stop must be a text of 1 to 256 bytes; here it has 258'],
  ])('%s %s is refused', (name, text, message) => {
    const found = failure(() => parametersOf(`SYSTEM "\n"\n PARAMETER ${name} ${text}`))
    expect(found.message).toContain(`(line 4): ${message}`)
    expect(found).toMatchObject({ line: 4, column: 2 })
  })
})

const names = Object.keys(parameters) as ParameterName[]

describe('the instructions of a recipe', () => {
  it('stand in the order in which Ollama shows them', () => {
    const text = [
      ...['FROM m', 'ADAPTER a', 'DRAFT d', 'FROM projector', 'TEMPLATE t', 'SYSTEM s', 'RENDERER r', 'PARSER p'],
      ...[
        'REQUIRES 0.14.0',
        'PARAMETER num_ctx 64',
        'PARAMETER stop x',
        'PARAMETER stop y',
        'LICENSE l',
        'MESSAGE user u',
      ],
    ]
    const backwards = readRecipe(parseModelfile([...text].reverse().join('\n')))
    expect(backwards.from).toEqual(['projector', 'm'])
    const ordered = readRecipe(parseModelfile(text.join('\n')))
    expect(printModelfile(recipeInstructions(ordered))).toBe(`${text.join('\n')}\n`)
  })
})

describe('parameters as options', () => {
  it('go to load and to generate under their names there, and what means nothing goes nowhere', () => {
    expect(
      parameterOptions(
        parametersOf(
          'PARAMETER num_ctx 64\nPARAMETER num_thread 2\nPARAMETER use_mmap 0\nPARAMETER num_gpu 0\nPARAMETER num_batch 8\nPARAMETER top_k 1\nPARAMETER num_predict 5\nPARAMETER num_keep -1\nPARAMETER stop x\nPARAMETER seed 7',
        ),
      ),
    ).toEqual({
      load: { contextSize: 64, threads: 2, memoryMap: false, gpuLayers: 0 },
      generate: { topK: 1, maxTokens: 5, keep: -1, stop: ['x'], seed: 7 },
    })
    expect(
      parameterOptions(parametersOf('PARAMETER seed -1\nPARAMETER num_predict 0\nPARAMETER num_thread 0')),
    ).toEqual({ load: {}, generate: {} })
  })

  it.each(names.filter((name) => 'load' in parameters[name] || 'generate' in parameters[name]))(
    '%s is taken by its option within its range',
    (name) => {
      fc.assert(
        fc.property(valuesOf(name), (value) => {
          const { load, generate } = parameterOptions({ [name]: value })
          fc.pre(!Array.isArray(value) || value.length <= 64)
          const limits = { contextSize: 2 ** 24, vocabularySize: 100 }
          expect(readOptions(modelOptions, load, limits)).toMatchObject(load)
          expect(readOptions(generateOptions, generate, limits)).toMatchObject(generate)
        }),
      )
    },
  )
})
