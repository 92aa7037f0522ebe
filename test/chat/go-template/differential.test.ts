import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { collate } from '../../../lib/chat/go-template/collate.js'
import { parseGoTemplate, renderGoTemplate, type GoMessage } from '../../../lib/chat/go-template/index.js'
import { LlameroError } from '../../../lib/errors.js'
import { randomBelow, seededRandom } from '../../support/seeded-random.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { executeSource } from './execute-source.js'
import { mutated, randomData, TemplateMaker } from './random-template.js'
import { realTemplates } from './real-templates.js'

const temporary = temporaryDirectory()
const program = fileURLToPath(new URL('oracle/main.go', import.meta.url))

/** Ranges over numbers came with Go 1.22, some of the rules about them with 1.24. */
function hasGo(): boolean {
  const { stdout } = spawnSync('go', ['version'], { encoding: 'utf8' })
  const [, minor] = /go1\.(\d+)/.exec(stdout) ?? []
  return Number(minor) >= 24
}

interface Answer {
  readonly out: string | null
  readonly error?: string
}

function askGo(cases: readonly object[]): readonly Answer[] {
  const oracle = join(temporary.path, 'oracle')
  execFileSync('go', ['build', '-o', oracle, program], { env: { ...process.env, GO111MODULE: 'off' } })
  const input = cases.map((one) => `${JSON.stringify(one)}\n`).join('')
  const output = execFileSync(oracle, { input, maxBuffer: 2 ** 30, encoding: 'utf8', timeout: 60_000 })
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer)
}

function outcomeOf(source: string): string | undefined {
  try {
    return executeSource(source, randomData)
  } catch (error) {
    if (error instanceof LlameroError && error.code === 'ERR_TEMPLATE') return undefined
    throw error
  }
}

const count = Number(process.env['LLAMERO_GO_TEMPLATES'] ?? 6000)
const seed = Number(process.env['LLAMERO_SEED'] ?? 1)

// Go is no part of what the project needs; where it is installed it is asked.
describe.runIf(hasGo())("Go's own text/template", () => {
  it(`prints the same, or fails too: ${count} random templates, seed ${seed}`, () => {
    const random = seededRandom(seed)
    const maker = new TemplateMaker(random)
    const kinds = [() => maker.printf(), () => maker.template(), () => mutated(maker.template(), random)]
    const sources = Array.from({ length: count }, (_, index) => kinds[index % kinds.length]!())
    const answers = askGo(sources.map((Source) => ({ Source, Data: randomData })))
    expect(answers).toHaveLength(count)
    const different = sources.flatMap((source, index) => {
      const { out, error } = answers[index]!
      const expected = error === undefined ? Buffer.from(out ?? '', 'base64').toString() : undefined
      const ours = outcomeOf(source)
      // Half a character is U+FFFD with us, and addresses are none of ours.
      const isSpecial = /\uFFFD|\\ufffd|efbfbd|0xc0[0-9a-f]{8}/i.test(`${expected ?? error ?? ''}${ours ?? ''}`)
      return expected === ours || isSpecial ? [] : [{ source, expected: expected ?? error, ours }]
    })
    expect(different).toEqual([])
  })

  it('renders conversations the same, by templates as real models have them', () => {
    const random = seededRandom(seed)
    const names = (Object.keys(realTemplates) as (keyof typeof realTemplates)[]).filter((name) => name !== 'harmony')
    const bodies = [
      '{{ .Tools }}',
      '{{ json .Tools }}',
      '{{ range .Tools }}{{ . }}{{ .Function }}{{ end }}',
      ...inMessages,
    ]
    const sources = [
      ...names.map((name) => realTemplates[name]),
      ...bodies.map((body) => `${body}{{ if false }}{{ .Messages }}{{ end }}`),
    ]
    const cases = sources
      .filter((source) => source.includes('.Messages'))
      .flatMap((source) => Array.from({ length: 20 }, () => ({ source, messages: randomMessages(random) })))
    const answers = askGo(
      cases.map(({ source, messages }) => ({
        Source: source,
        Messages: messages.map(goMessage),
        Tools: goTools,
        System: collate(messages).system,
      })),
    )
    const expected = answers.map(({ out, error }) => error ?? Buffer.from(out ?? '', 'base64').toString())
    const ours = cases.map(({ source, messages }) =>
      renderGoTemplate(parseGoTemplate(source), { messages, tools })
        .map(({ text }) => text)
        .join(''),
    )
    expect(ours).toEqual(expected)
  })
})

/** Bodies for each message, which show all of it. */
const inMessages = [
  '{{ json . }}',
  '{{ .ToolCalls }}',
  '{{ printf "%+v" .ToolCalls }}',
  '{{ .Role }}{{ .ToolName }}',
].map((body) => `{{ range .Messages }}${body}{{ end }}`)
const tools = [
  {
    function: {
      name: 'weather',
      description: 'The <weather>',
      parameters: {
        type: 'object',
        $defs: { a: { b: 1 } },
        properties: {
          unit: { type: ['string', 'null'], enum: ['C', 1e21, null] },
          city: { type: 'string', description: 'Where', required: ['a'] },
          any: { anyOf: [{ type: 'integer' }, { items: { type: 'string' } }] },
        },
        required: ['city'],
      },
    },
  },
]
const goTools = tools.map((tool) => ({ type: 'function', ...tool }))

/** No neighbours of one role: merging is ours, not Go's. */
function randomMessages(random: () => number): readonly GoMessage[] {
  const roles = ['system', 'user', 'assistant', 'tool', 'user', 'assistant']
  return roles.slice(randomBelow(random, 3), 3 + randomBelow(random, 4)).map((role) => ({
    role,
    content: ['', 'Hi <b>', 'ünï\n'][randomBelow(random, 3)]!,
    thinking: ['', 'hm'][randomBelow(random, 2)]!,
    ...(role === 'assistant' && random() < 0.5
      ? {
          toolCalls: [
            { id: 'c1', name: 'weather', arguments: { city: 'R&D', n: [1, 2.5, null, true], at: { b: 1, a: 2 } } },
          ],
        }
      : {}),
    ...(role === 'tool' ? { toolName: 'weather', toolCallId: 'c1' } : {}),
  }))
}

function goMessage({ role, content, thinking, toolCalls, toolName, toolCallId }: GoMessage): object {
  return {
    Role: role,
    Content: content,
    Thinking: thinking,
    ToolName: toolName ?? '',
    ToolCallID: toolCallId ?? '',
    ToolCalls: toolCalls?.map((call, Index) => ({
      ID: call.id,
      Function: { Index, Name: call.name, Arguments: call.arguments },
    })),
  }
}
