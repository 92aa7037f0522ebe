import { describe, expect, it } from 'vitest'
import { tool } from '../../lib/chat/index.js'
import { openModel } from '../../lib/model/index.js'
import type { NativeChatTemplate } from '../../lib/native-types.js'
import { createFakeAddon, type FakeAddon } from '../support/fake-addon.js'
import { answers } from '../support/fake-format.js'
import { watchRejections } from '../support/fake-model.js'

watchRejections()

const goTemplate = [
  '{{- range .Messages }}<|{{ .Role }}|>',
  '{{- if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}',
  '{{- if .ToolCalls }}{{ range .ToolCalls }}<tool_call>{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}</tool_call>{{ end }}{{ end }}',
  '<|end|>{{ end }}',
  '{{- if .Tools }}[{{ range .Tools }}{{ .Function.Name }}{{ end }}]{{ end }}<|assistant|>',
].join('')
const template = { go: goTemplate, renderer: '', parser: '' }

async function open(texts: readonly string[], chatTemplate = '', brought = template) {
  const addon = createFakeAddon({ script: answers(...texts), info: { chatTemplate } })
  return { addon, model: await openModel({ path: 'fake.gguf', brought: { template: brought } }, {}, addon) }
}

const weather = tool({
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  run: () => 'sunny',
})
const grammarOf = (addon: FakeAddon): string | undefined => addon.engine().requests[0]?.sampler.grammar

describe('a TEMPLATE layer', () => {
  it('makes the prompt', async () => {
    const { model } = await open([])
    expect(await model.template('hi')).toBe('<|user|>hi<|end|><|assistant|>')
  })

  it('tells thinking and calls of tools apart, and shows them to the model again', async () => {
    const { model } = await open([
      '<think>which?</think>Let me see. <tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>',
      'Sunny.',
    ])
    const { messages, text } = await model.chat('Rome?', { tools: { weather } })
    expect(messages[0]).toMatchObject({
      content: 'Let me see.',
      reasoning: 'which?',
      toolCalls: [{ name: 'weather', arguments: { city: 'Rome' } }],
    })
    expect(text).toBe('Sunny.')
    expect(await model.template([{ role: 'user', content: 'Rome?' }, ...messages], { tools: { weather } })).toBe(
      '<|user|>Rome?<|end|><|assistant|><think>which?</think>Let me see.' +
        '<tool_call>{"name": "weather", "arguments": {"city":"Rome"}}</tool_call><|end|>' +
        '<|tool|>sunny<|end|><|assistant|>Sunny.<|end|>[weather]<|assistant|>',
    )
  })

  it('lets a schema bind behind the thinking', async () => {
    const { model, addon } = await open(['<think>a</think>{}'])
    const { object, reasoning } = await model.chat('?', { json: true })
    expect({ object, reasoning }).toEqual({ object: {}, reasoning: 'a' })
    expect(grammarOf(addon)).toMatch(
      /^root ::= \("<think>" \(\[\^<\] \| "<"\+ \[\^<\/\]\)\* "<\/think>" .*\)\? answer-root\n/,
    )
  })

  it('is helped by a grammar where tools must be called', async () => {
    const { model, addon } = await open([
      '{"tool_calls": [{"name": "weather", "arguments": {"city": "Rome"}}]}',
      '{"response": "ok"}',
    ])
    const { messages } = await model.chat('?', { tools: { weather }, toolChoice: 'required' })
    expect(messages[0]).toMatchObject({ toolCalls: [{ name: 'weather' }] })
    expect(grammarOf(addon)).not.toBe('')
  })

  it('gives way to the template of the weights where that can do more', async () => {
    const plain = { go: '{{ .Prompt }}{{ .Response }}', renderer: '', parser: '' }
    const { model, addon } = await open(['x'], 'a jinja template', plain)
    const info = { ...addon.chatTemplateInfo({} as NativeChatTemplate), supportsTools: true }
    addon.chatTemplateInfo = () => info
    expect(await model.template('hi')).toContain('<|im_start|>user')
  })

  it('that does not parse is told with its line', async () => {
    const { model } = await open([], '', { ...template, go: 'a\n{{ if }}' })
    await expect(model.chat('?')).rejects.toMatchObject({ code: 'ERR_TEMPLATE', message: expect.stringContaining('2') })
  })

  it('does not stand in for a renderer that nobody knows', async () => {
    const { model } = await open([], '', { go: '', renderer: 'nobody', parser: '' })
    await expect(model.chat('?')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  })
})
