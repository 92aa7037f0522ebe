import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { NativeChatInput, NativeModel } from '../../lib/native.js'
import { cpuTime } from '../support/cpu-time.js'
import { chatInput } from './bare-addon.mjs'
import { loadRawModel } from './raw-engine.js'
import { patience } from './test-engine.js'
import { vocabularyPath } from './vocabulary-file.js'

const addon = nativeAddon()
const templates = new URL('../../llama.cpp/source/models/templates/', import.meta.url)
let model: NativeModel
beforeAll(async () => {
  model = await loadRawModel(vocabularyPath('qwen2'), true)
})
afterAll(() => addon.modelClose(model))

async function render(source: string, input: Partial<NativeChatInput> = {}): Promise<string> {
  const { parts } = await addon.chatPrompt(await addon.chatTemplate(model, source), chatInput(input))
  return parts.map(({ text }) => text).join('')
}

const times = (text: string, count: number) => text.repeat(count)
const doubling = (what: string) => `{% set ns = namespace(x=${what}) %}{% for i in range(40) %}`

// What ended, froze or filled the process before there were limits; security.md T2.
const hostile: readonly [title: string, source: string][] = [
  ['a macro that calls itself', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
  [
    'macros that call each other',
    '{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}',
  ],
  ['a long range', '{% for i in range(10000000000) %}{% endfor %}'],
  ['a range that would overflow', '{% for i in range(-9223372036854775807, 9223372036854775807, 1) %}{% endfor %}'],
  ['a range that just fits, often', '{% for i in range(100) %}{% set x = range(100000) %}{% endfor %}'],
  ['loops in loops', '{% for i in range(3000) %}{% for j in range(3000) %}{% endfor %}{% endfor %}'],
  ['nested brackets', `{{ ${times('(', 100_000)}1${times(')', 100_000)} }}`],
  ['nested lists', `{{ ${times('[', 100_000)}${times(']', 100_000)} }}`],
  ['nested objects', `{{ ${times('{1:', 40_000)}1${times('}', 40_000)} }}`],
  ['many nots', `{{ ${times('not ', 60_000)}1 }}`],
  ['many signs', `{{ ${times('- ', 100_000)}1 }}`],
  ['many filters', `{{ 'a'${times('|upper', 40_000)} }}`],
  ['many tests', `{{ 1${times(' is odd', 30_000)} }}`],
  ['many sums', `{{ 'a'${times(' ~ 1', 60_000)} }}`],
  ['many calls', `{{ m${times('()', 100_000)} }}`],
  ['many members', `{{ m${times('.a', 100_000)} }}`],
  ['many ternaries', `{{ 1${times(' if 1 else 1', 20_000)} }}`],
  ['nested ifs', `${times('{% if 1 %}', 20_000)}${times('{% endif %}', 20_000)}`],
  ['many elifs', `{% if 0 %}${times('{% elif 0 %}', 20_000)}{% endif %}`],
  ['nested loops', `${times('{% for i in [1] %}', 10_000)}${times('{% endfor %}', 10_000)}`],
  ['a source of 300 KiB', times('x', 300 * 1024)],
  ['a list in itself', '{% set x = [] %}{% set _ = x.append(x) %}{{ x }}'],
  ['a list in itself as JSON', '{% set x = [] %}{% set _ = x.append(x) %}{{ x | tojson }}'],
  ['an object in itself', '{% set n = namespace() %}{% set n.a = n %}{{ n }}'],
  [
    'a list in a list, deeply',
    '{% set n = namespace(x=[]) %}{% for i in range(50000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}',
  ],
  ['a text that doubles', `${doubling("'ab'")}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}`],
  ['a list that doubles', `${doubling('[1]')}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}`],
  ['a tree that doubles', `${doubling('[1]')}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}`],
  ['a text repeated', "{{ 'a' * 10000000000 }}"],
  ['no text repeated', "{{ '' * 10000000000 }}"],
  ['a wide indentation', "{{ 'a\\nb' | indent(2000000000) }}"],
  ['a text replaced by long ones', "{% set a = 'a' * 100000 %}{{ a | replace('a', a) | length }}"],
  ['long separators', "{% set a = 'a' * 100000 %}{{ range(10000) | join(a) | length }}"],
  [
    'long separators in JSON',
    "{% set a = 'a' * 100000 %}{{ range(10000) | list | tojson(separators=[a, a]) | length }}",
  ],
  ['a search of half a text', "{% set a = 'a' * 1000000 %}{{ ((a[:500000]) ~ 'b') in a }}"],
  ['printing much, often', "{% set a = 'a' * 1000000 %}{% for i in range(10000) %}{{ a }}{% endfor %}"],
  [
    'objects with many keys',
    '{% set n = namespace() %}{% for i in range(90000) %}{% set n.a = i %}{% set x = {i: i} %}{% endfor %}' +
      times('{% for i in range(90000) %}{% endfor %}', 20),
  ],
]

// Failures of a template that are no limits: each is its own error, and the process goes on.
const failing: readonly [title: string, source: string, message: RegExp][] = [
  ['an exception', "a\n{{ raise_exception('no tools here') }}", /at line 2, column \d+: .*no tools here\.$/],
  ['an unknown statement', 'a\nb\n{% frob %}', /at line 3, column \d+: Unknown statement: frob\.$/],
  ['an unfinished statement', 'a\n{% if 1 %}', /at line 2, column \d+: /],
  ['an unfinished text', "{{ 'a }}", /at line 1, column \d+: /],
  ['an unfinished comment', '\n\n{# a', /at line 3, column \d+: /],
  ['a filter that there is not', "\n{{ 'a' | attr('constructor') }}", /at line 2, column \d+: /],
  ['a call of nothing', '{{ nothing() }}', /at line 1, column \d+: /],
  ['a modulo by zero', '{{ 1 is divisibleby(0) }}', /at line 1/],
  ['an element of nothing', '{{ [].pop() }}', /at line 1/],
]

describe('a template with', () => {
  it.each(hostile)('%s is cut off soon', async (_title, source) => {
    const before = process.memoryUsage().rss
    const spent = await cpuTime(async () => {
      await expect(render(`\n\n${source}`)).rejects.toMatchObject({
        code: 'ERR_TEMPLATE',
        message: expect.stringMatching(/^The chat template failed(?: at line 3\b.*)?: .{10,200}\.$/) as string,
      })
    })
    expect(spent).toBeLessThan(1500 * patience)
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20 * patience)
  })

  it.each(failing)('%s fails with its line', async (_title, source, message) => {
    await expect(render(source)).rejects.toMatchObject({
      code: 'ERR_TEMPLATE',
      message: expect.stringMatching(message) as string,
    })
  })

  it('a long exception says its beginning', async () => {
    await expect(render("{{ raise_exception('x' * 5000) }}")).rejects.toMatchObject({
      code: 'ERR_TEMPLATE',
      message: expect.stringMatching(/^.{50,100}x{1000,1024} …\.$/) as string,
    })
  })

  it.each(['Reka-Edge', 'upstage-Solar-Open-100B', 'Kimi-K3', 'deepseek-ai-DeepSeek-V4'])(
    'as much work as %s has with a long conversation is let through',
    async (name) => {
      const source = readFileSync(fileURLToPath(new URL(`${name}.jinja`, templates)), 'utf8')
      const content = 'some words '.repeat(20)
      const call = { type: 'function', id: 'call00001', function: { name: 'f', arguments: '{"a":1}' } }
      const turn = [
        { role: 'user', content },
        { role: 'assistant', content: '', tool_calls: [call] },
        { role: 'tool', tool_call_id: 'call00001', name: 'f', content },
        { role: 'assistant', content },
      ]
      const messages = [...Array.from({ length: 50 }, () => turn).flat(), { role: 'user', content: 'the last' }]
      expect(await render(source, { messagesJson: JSON.stringify(messages) })).toContain('the last')
    },
  )

  it('all that a long conversation needs is let through', async () => {
    const messages = Array.from({ length: 4096 }, (_, index) => ({
      role: index % 2 === 0 ? 'user' : 'assistant',
      content: `${index} ${'some words '.repeat(40)}`,
    }))
    const text = await render('', { messagesJson: JSON.stringify(messages) })
    expect(text).toContain('4095 some words')
  })
})

// What reaches the host in other engines; security.md T1.
it.each([
  "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
  "{{ ''.__class__.__mro__[1].__subclasses__() }}",
  "{{ ''.constructor.constructor('return process')() }}",
  '{{ messages.__proto__ }}',
  '{{ range.call }}',
  '{{ .constructor }}',
  '{{ self.__init__ }}',
  '{% include "/etc/passwd" %}',
  '{% import "os" as os %}{{ os }}',
])('%s reaches nothing', async (source) => {
  process.env['LLAMERO_CANARY'] = 'canary-7319'
  const text = await render(source).catch((error: unknown) => (error as { code: string }).code)
  expect(['ERR_TEMPLATE', '']).toContain(text.trim())
})

it("a template's clock is the caller's", async () => {
  const now = new Date(2011, 10, 12, 13, 14, 15).getTime()
  expect(await render("{{ strftime_now('%Y-%m-%d %H:%M:%S') }}", { now })).toBe('2011-11-12 13:14:15')
  expect(await render('{{ date_string }}', { now })).toBe('12 Nov 2011')
})

it('an answer of lists in lists without end is taken apart', async () => {
  const source = await addon.chatTemplate(model, '')
  const tool = { type: 'function', function: { name: 'f', description: '', parameters: { type: 'object' } } }
  const { format } = await addon.chatPrompt(source, chatInput({ toolsJson: JSON.stringify([tool]) }))
  for (const text of [times('[', 1_000_000), `<tool_call>\n{"name": "f", "arguments": ${times('{"a":[', 200_000)}`]) {
    for (const isPartial of [true, false]) {
      const { content } = await addon.chatParse(format, text, isPartial)
      expect(text).toContain(content)
    }
  }
})
