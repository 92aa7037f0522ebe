import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseGoTemplate, renderGoTemplate, templateLimits } from '../../../lib/chat/go-template/index.js'
import { LlameroError } from '../../../lib/errors.js'
import { cpuTime } from '../../support/cpu-time.js'
import { seededRandom } from '../../support/seeded-random.js'
import { executeSource } from './execute-source.js'
import { hostileTemplates } from './hostile-templates.js'
import { mutated, randomData, TemplateMaker } from './random-template.js'
import { realTemplates } from './real-templates.js'

const long = '<é"x'.repeat(100_000)
const tools = Array.from({ length: 50 }, (_, index) => ({
  function: { name: `f${index}`, description: 'x'.repeat(1000), parameters: { properties: { a: { type: 'string' } } } },
}))
const conversations = {
  'a gap': { prompt: long, suffix: 'x', messages: [], tools },
  'many messages': {
    messages: Array.from({ length: 500 }, (_, index) => ({
      role: index % 2 === 0 ? 'user' : 'assistant',
      content: 'hello '.repeat(100),
    })),
    tools,
  },
  'a long message': {
    messages: [
      { role: 'system', content: 's' },
      { role: 'user', content: long },
    ],
  },
} as const

/** What a template comes to: a prompt, or the only error that it may have. */
function outcomeOf(source: string, conversation: Parameters<typeof renderGoTemplate>[1]): string {
  try {
    return renderGoTemplate(parseGoTemplate(source), conversation)
      .map(({ text }) => text)
      .join('')
  } catch (error) {
    if (error instanceof LlameroError && error.code === 'ERR_TEMPLATE') return error.code
    throw error
  }
}

describe('hostile templates', () => {
  it.each(hostileTemplates)('%s ends within 250 ms', async (_what, source) => {
    for (const conversation of Object.values(conversations)) {
      // The least of some tries: the first ones compile, and other programs share the processor's caches.
      let least = Number.POSITIVE_INFINITY
      for (let tries = 0; tries < 4 && least > 250; tries++)
        least = Math.min(least, await cpuTime(() => outcomeOf(source, conversation)))
      expect(least).toBeLessThanOrEqual(250)
    }
  })

  it.each<readonly [what: string, source: string, complaint: RegExp]>([
    ['steps', '{{ range 3000 }}{{ range 3000 }}{{ end }}{{ end }}', /more than 1000000 steps/],
    ['turns of a range', '{{ range 1000000000 }}{{ end }}', /more than 100000 turns/],
    ['calls', '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}', /more than 64 blocks and templates/],
    ['blocks', '{{ if 1 }}'.repeat(65) + '{{ end }}'.repeat(65), /more than 64 blocks/],
    ['parentheses', `{{ ${'('.repeat(66)}1${')'.repeat(66)} }}`, /more than 64 parentheses/],
    ['tokens', '{{ 1 }}'.repeat(20_000), /more than 65536 tokens/],
    ['bytes of source', 'é'.repeat(131_073), /at most 262144 bytes; got 262146/],
    ['a text', `{{ $x := "ab" }}${'{{ $x = print $x $x }}'.repeat(40)}`, /text of more than 16777216 characters/],
    ['a prompt', `{{ $x := "ab" }}${'{{ $x = print $x $x }}'.repeat(22)}{{ $x }}`, /out of all proportion/],
  ])('has a limit for %s', (_what, source, complaint) => {
    const messages = [{ role: 'user', content: 'hi' }]
    expect(() => renderGoTemplate(parseGoTemplate(source), { messages })).toThrow(complaint)
  })

  it('a long conversation may make a longer prompt', () => {
    const content = 'x'.repeat(templateLimits.outputLength)
    const template = parseGoTemplate('{{ range .Messages }}{{ .Content }}{{ .Content }}{{ end }}')
    expect(renderGoTemplate(template, { messages: [{ role: 'user', content }] })[0]?.text).toHaveLength(
      2 * content.length,
    )
  })

  it('values that hold themselves are refused', () => {
    const circle: Record<string, unknown> = {}
    circle['properties'] = { circle, again: circle }
    circle['items'] = circle
    const template = parseGoTemplate('{{ .Messages }}')
    expect(() => renderGoTemplate(template, { tools: [{ function: { name: 'f', parameters: circle } }] })).toThrow(
      /levels/,
    )
    const messages = [{ role: 'assistant', content: '', toolCalls: [{ name: 'f', arguments: circle }] }]
    expect(() => renderGoTemplate(template, { messages })).toThrow(/levels/)
  })
})

describe('nothing of JavaScript is reachable', () => {
  const canary = 'canary-of-the-environment'
  const names = [
    'constructor',
    '__proto__',
    'prototype',
    'toString',
    'hasOwnProperty',
    'length',
    'kind',
    'items',
    'entries',
    'type',
    'value',
  ]
  const receivers = ['', '.list', '.name', '.map', '.n', '$', '.yes', '.missing', '(print 1)', '(index .list 0)']
  const sources = names.flatMap((name) => [
    ...receivers.map((receiver) => `{{ ${receiver}.${name} }}`),
    `{{ index . "${name}" }}`,
    `{{ index .map "${name}" }}`,
    `{{ call .${name} }}`,
    `{{ ${name} }}`,
    `{{ template "${name}" . }}`,
    `{{ $x := .${name} }}{{ $x.${name} }}`,
    `{{ json .${name} }}`,
    `{{ printf "%v %#v %T" .${name} .${name} .${name} }}`,
  ])

  it.each(sources)('%s is nothing, or an error', (source) => {
    process.env['LLAMERO_CANARY'] = canary
    let text: string
    try {
      text = executeSource(source, randomData)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_TEMPLATE' })
      return
    }
    expect(text.replaceAll(/<no value>|<nil>|null|[%!vT() ]|nil/g, '')).toBe('')
  })

  it('own keys with such names are data', () => {
    const data = JSON.parse('{"__proto__": {"a": 1}, "constructor": "c", "toString": 2}') as unknown
    expect(executeSource('{{ .__proto__.a }}{{ .constructor }}{{ index . "toString" }}{{ len . }}', data)).toBe('1c23')
  })

  it('inherited keys are not there', () => {
    const data = Object.create({ inherited: 'x' }) as Record<string, unknown>
    data['own'] = 'y'
    expect(executeSource('{{ .own }}{{ .inherited }}', data)).toBe('y<no value>')
  })
})

describe('any input', () => {
  const conversation = {
    messages: [
      { role: 'system', content: 'Be <b>brief</b>.' },
      { role: 'user', content: 'Hi \u{1F600}' },
      { role: 'assistant', content: '', toolCalls: [{ name: 'f', arguments: { a: [1, null, { b: 'c' }] } }] },
      { role: 'tool', content: '3', toolName: 'f' },
    ],
    tools: [
      { function: { name: 'f', parameters: { type: 'object', properties: { a: { type: ['string', 'null'] } } } } },
    ],
    think: true,
  }

  it('gives a prompt or ERR_TEMPLATE: texts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => void outcomeOf(`{{ ${text} }}`, conversation)),
      {
        numRuns: 2000,
      },
    )
  })

  it('gives a prompt or ERR_TEMPLATE: tokens in any order', () => {
    const token = fc.constantFrom(
      ...[
        '{{',
        '}}',
        '{{-',
        ' -}}',
        '(',
        ')',
        '|',
        ':=',
        '=',
        ',',
        '.',
        '.Messages',
        '$',
        '$x',
        'if',
        'else',
        'end',
        'range',
      ],
      ...[
        'with',
        'define',
        'template',
        'block',
        'break',
        'continue',
        '"a"',
        '`b`',
        "'c'",
        '1',
        '2.5',
        'nil',
        'true',
        'len',
      ],
      ...[
        'index',
        'slice',
        'printf',
        'print',
        'eq',
        'and',
        'or',
        'not',
        'json',
        'call',
        'html',
        '/*',
        '*/',
        '.Role',
        ' ',
        '\n',
      ],
    )
    fc.assert(
      fc.property(fc.array(token, { maxLength: 40 }), (tokens) => void outcomeOf(tokens.join(' '), conversation)),
      { numRuns: 5000 },
    )
  })

  it('gives a prompt or ERR_TEMPLATE: real and random templates, changed here and there', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom('', ...Object.values(realTemplates)), (seed, real) => {
        const random = seededRandom(seed)
        outcomeOf(mutated(real === '' ? new TemplateMaker(random).template() : real, random), conversation)
      }),
      { numRuns: 3000 },
    )
  })
})
