import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { builtInFormats, parseGoTemplate, whichTemplate, type TemplateFacts } from '../../lib/chat/index.js'

const plain = parseGoTemplate('{{ .Prompt }}')
const tools = parseGoTemplate('{{ range .Messages }}{{ .Content }}{{ end }}{{ .Tools }}')
const roundTrip = parseGoTemplate('{{ range .Messages }}{{ if eq .Role "tool" }}x{{ end }}{{ end }}{{ .Tools }}')
const insert = parseGoTemplate('{{ .Prompt }}{{ .Suffix }}')
const harmony = parseGoTemplate('<|start|>{{ range .Messages }}{{ .Content }}<|end|>{{ end }}')

const jinja = { source: '{{ messages }}', capabilities: [] }
const jinjaTools = { source: '{{ tools }}', capabilities: ['tools'] }
const jinjaRoundTrip = { source: "{{ tools }}{% if message.role == 'tool' %}", capabilities: ['tools'] }
const jinjaThinking = { source: '<think></think>', capabilities: ['thinking'] }

/** What serves, in a few words. */
function serving(facts: Partial<TemplateFacts>): string {
  const { prompt, answers } = whichTemplate({ renderer: '', parser: '', family: 'llama', ...facts })
  return [prompt, answers].map((part) => ('file' in part ? part.file : part.kind)).join(', ')
}

describe('which template serves', () => {
  it.each<readonly [rule: string, facts: Partial<TemplateFacts>, expected: string]>([
    ['a model without any has none', {}, 'default, prompt'],
    ['the Go template alone', { goTemplate: plain }, 'go, prompt'],
    ["the weights' own alone", { chatTemplate: jinja }, 'jinja, prompt'],
    ['of equals, the Go template', { goTemplate: plain, chatTemplate: jinja }, 'go, prompt'],
    ['of equals with tools, the Go template', { goTemplate: tools, chatTemplate: jinjaTools }, 'go, prompt'],
    [
      'of equals with round trips, the Go template',
      { goTemplate: roundTrip, chatTemplate: jinjaRoundTrip },
      'go, prompt',
    ],
    ["the weights' own if it can do more", { goTemplate: plain, chatTemplate: jinjaTools }, 'jinja, prompt'],
    ["the weights' own if it thinks", { goTemplate: plain, chatTemplate: jinjaThinking }, 'jinja, prompt'],
    [
      "the weights' own if it alone renders results of tools",
      { goTemplate: tools, chatTemplate: jinjaRoundTrip },
      'jinja, prompt',
    ],
    ['not if it can do other things, but not more', { goTemplate: tools, chatTemplate: jinjaThinking }, 'go, prompt'],
    ['not if it can do less', { goTemplate: tools, chatTemplate: jinja }, 'go, prompt'],
    ['not if it fills no gaps', { goTemplate: insert, chatTemplate: jinjaTools }, 'go, prompt'],
    [
      'not if it loses the results of tools',
      { goTemplate: roundTrip, chatTemplate: { source: '{{ tools }}', capabilities: ['tools', 'thinking'] } },
      'go, prompt',
    ],
    ['the setting wins: Go', { goTemplate: plain, chatTemplate: jinjaTools, useGoTemplate: true }, 'go, prompt'],
    ['the setting wins: not Go', { goTemplate: tools, chatTemplate: jinja, useGoTemplate: false }, 'jinja, prompt'],
    [
      'the setting wins: not Go, and nothing else there',
      { goTemplate: tools, useGoTemplate: false },
      'default, prompt',
    ],
    ['the setting cannot make a template', { chatTemplate: jinja, useGoTemplate: true }, 'jinja, prompt'],
    [
      'gpt-oss by its Go template',
      { family: 'gptoss', goTemplate: harmony, chatTemplate: jinjaTools },
      'go, openai-gpt-oss-120b.jinja',
    ],
    ['gpt-oss, spelled otherwise', { family: 'gpt-oss', goTemplate: harmony }, 'go, openai-gpt-oss-120b.jinja'],
    ['gpt-oss without the marks', { family: 'gptoss', goTemplate: plain }, 'go, prompt'],
    ['the marks in another family', { goTemplate: harmony }, 'go, prompt'],
    [
      "a renderer: the weights' own",
      { renderer: 'qwen3-coder', chatTemplate: jinja, goTemplate: tools },
      'jinja, prompt',
    ],
    ['a renderer: the file of llama.cpp', { renderer: 'qwen3-coder', goTemplate: tools }, 'Qwen3-Coder.jinja, prompt'],
    ["a renderer without a file: the weights' own", { renderer: 'olmo3', chatTemplate: jinja }, 'jinja, prompt'],
    ['a renderer without a file: the Go template', { renderer: 'olmo3', goTemplate: plain }, 'go, prompt'],
    ['a parser for a Go template', { parser: 'qwen3', goTemplate: tools }, 'go, Qwen-Qwen3-0.6B.jinja'],
    ["a parser beside the weights' own, which tells", { parser: 'qwen3', chatTemplate: jinjaTools }, 'jinja, prompt'],
    ['a parser that takes answers as they are', { parser: 'passthrough', chatTemplate: jinjaTools }, 'jinja, plain'],
    ['an unknown parser is none', { parser: 'nope', goTemplate: tools }, 'go, prompt'],
    ['a parser that nothing stands for is none', { parser: 'cogito', goTemplate: tools }, 'go, prompt'],
  ])('%s', (_rule, facts, expected) => {
    expect(serving(facts)).toBe(expected)
  })

  it.each([
    [
      'a renderer that nothing stands for',
      { renderer: 'olmo3' },
      /renderer "olmo3".*no template of these models.*TEMPLATE/,
    ],
    [
      'a renderer that does not exist',
      { renderer: 'nope', chatTemplate: jinja },
      /renderer "nope".*no renderer of that name/,
    ],
  ])('%s is ERR_UNSUPPORTED', (_rule, facts, complaint) => {
    expect(() => serving(facts)).toThrow(complaint)
    expect(() => serving(facts)).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED', status: 501 }))
  })
})

describe('formats that are built into Ollama', () => {
  const renderers =
    'qwen3-coder qwen3-vl-instruct qwen3-vl-thinking qwen3.5 qwen3.8 ornith cogito deepseek3.1 olmo3 olmo3.1 olmo3-think olmo3-32b-think nemotron-3-nano nemotron-3.5-nano gemma4 gemma4-small gemma4-large functiongemma glm-4.7 glm-ocr lfm2 lfm2-thinking laguna poolside-v1 cohere glimmer'
  const parsers =
    'qwen3 qwen3-thinking qwen3.5 ornith qwen3-coder qwen3-vl-instruct qwen3-vl-thinking ministral passthrough harmony cogito deepseek3 olmo3 olmo3-think nemotron-3-nano nemotron-3.5-nano functiongemma glm-4.7 gemma4 gemma4-no-thinking glm-ocr lfm2 lfm2-thinking laguna poolside-v1 cohere glimmer'

  it('are all known', () => {
    const names = new Set(`${renderers} ${parsers}`.split(' '))
    expect([...builtInFormats.keys()].sort()).toEqual([...names].sort())
  })

  const templates = fileURLToPath(new URL('../../llama.cpp/source/models/templates/', import.meta.url))

  // The sources are restored by a build, which these tests do without.
  it.runIf(existsSync(templates))('name files that llama.cpp has', () => {
    const files = [...builtInFormats.values()].flatMap((format) => (format.kind === 'file' ? [format.file] : []))
    expect(files.filter((name) => !existsSync(templates + name))).toEqual([])
    expect(files.length).toBeGreaterThan(10)
  })
})
