import { describe, expect, it } from 'vitest'
import type { GoConversation, GoMessage } from '../../../lib/chat/go-template/index.js'
import { realTemplates } from './real-templates.js'
import { render } from './render-marked.js'

const system = (content: string): GoMessage => ({ role: 'system', content })
const user = (content: string): GoMessage => ({ role: 'user', content })
const assistant = (content: string): GoMessage => ({ role: 'assistant', content })
const each = '{{ range .Messages }}{{ .Role }}:{{ .Content }};{{ end }}'
const legacy = '{{ if .System }}S:{{ .System }} {{ end }}{{ if .Prompt }}U:{{ .Prompt }} {{ end }}A:{{ .Response }}.\n'

describe('the three ways to a prompt', () => {
  it.each<readonly [rule: string, source: string, conversation: GoConversation, expected: string]>([
    [
      'a gap with prompt and suffix',
      '<{{ .Prompt }}|{{ .Suffix }}>{{ .Response }}',
      { prompt: 'a', suffix: 'b' },
      '<⟦a⟧|⟦b⟧>',
    ],
    ['a gap wins over messages', `${each}{{ .Suffix }}`, { prompt: 'a', suffix: 'b', messages: [user('x')] }, '⟦b⟧'],
    [
      'a gap knows no messages, tools or system',
      '{{ .Messages }}{{ .Tools }}{{ .System }}',
      { prompt: 'a', suffix: 'b' },
      '<no value>'.repeat(3),
    ],
    ['no gap without a prompt', `${each}{{ .Suffix }}`, { suffix: 'b', messages: [user('x')] }, 'user:⟦x⟧;<no value>'],
    ['messages', each, { messages: [user('x'), assistant('y')] }, 'user:⟦x⟧;assistant:⟦y⟧;'],
    ['no messages', `a${each}b`, {}, 'ab'],
    ['neighbours of one role become one', each, { messages: [user('x'), user('y')] }, 'user:⟦x\n\ny⟧;'],
    [
      'results of tools do not',
      each,
      {
        messages: [
          { role: 'tool', content: 'x' },
          { role: 'tool', content: 'y' },
        ],
      },
      'tool:⟦x⟧;tool:⟦y⟧;',
    ],
    [
      'all systems make System, and stay among the messages',
      `{{ .System }}|${each}`,
      { messages: [system('a'), user('x'), system('b')] },
      '⟦a\n\nb⟧|system:⟦a⟧;user:⟦x⟧;system:⟦b⟧;',
    ],
    ['Response is empty beside messages', `${each}{{ .Response }}!`, { messages: [user('x')] }, 'user:⟦x⟧;!'],
    ['a turn, open for the answer', legacy, { messages: [user('x')] }, 'U:⟦x⟧ A:'],
    [
      'turns',
      legacy,
      { messages: [system('s'), user('x'), assistant('y'), user('z')] },
      'S:⟦s⟧ U:⟦x⟧ A:⟦y⟧.\nU:⟦z⟧ A:',
    ],
    ['an answer that has begun', legacy, { messages: [user('x'), assistant('y')] }, 'U:⟦x⟧ A:⟦y⟧'],
    [
      'a system message ends a turn with a prompt',
      legacy,
      { messages: [user('x'), system('s'), user('y')] },
      'U:⟦x⟧ A:.\nS:⟦s⟧ U:⟦y⟧ A:',
    ],
    [
      'a system message ends a turn with an answer',
      legacy,
      { messages: [assistant('x'), system('s'), user('y')] },
      'A:⟦x⟧.\nS:⟦s⟧ U:⟦y⟧ A:',
    ],
    [
      'tools and other roles are left out of turns',
      legacy,
      { messages: [user('x'), { role: 'tool', content: 't' }, { role: 'critic', content: 'c' }] },
      'U:⟦x⟧ A:',
    ],
    ['no messages and no gap: an empty turn', legacy, {}, 'A:'],
    [
      'a template with neither gets the response at its end',
      '{{ .Prompt }}!',
      { messages: [user('x'), assistant('y'), user('z')] },
      '⟦x⟧!⟦yz⟧!',
    ],
    [
      'conditions do not end the open turn',
      '{{ if .Response }}a{{ else }}b{{ end }}{{ .Response }}c',
      { messages: [user('x')] },
      'b',
    ],
    [
      'the open turn ends inside a block',
      '{{ if .Prompt }}{{ .Prompt }}>{{ .Response }}c{{ end }}d',
      { messages: [user('x')] },
      '⟦x⟧>',
    ],
    ['and in an else', '{{ if .System }}s{{ else }}{{ .Response }}c{{ end }}d', { messages: [user('x')] }, ''],
    [
      'behind the response in one action too',
      '{{ print .Prompt .Response .Prompt }}c',
      { messages: [user('x')] },
      '⟦x⟧',
    ],
    ['thinking is not set', '{{ .Think }} {{ .ThinkLevel }} {{ .IsThinkSet }}{{ .Response }}', {}, '⟦false⟧  ⟦false⟧'],
    [
      'thinking is on',
      '{{ .Think }} {{ .ThinkLevel }} {{ .IsThinkSet }}{{ .Response }}',
      { think: true },
      '⟦true⟧ ⟦medium⟧ ⟦true⟧',
    ],
    [
      'thinking is off',
      '{{ .Think }} {{ .ThinkLevel }} {{ .IsThinkSet }}{{ .Response }}',
      { think: false },
      '⟦false⟧  ⟦true⟧',
    ],
    [
      'thinking has a level',
      '{{ .Think }} {{ .ThinkLevel }} {{ .IsThinkSet }}{{ .Response }}',
      { think: 'high' },
      '⟦true⟧ ⟦high⟧ ⟦true⟧',
    ],
    [
      'dates go by a clock that is handed in',
      '{{ currentDate }} {{ yesterdayDate "2006" }}{{ .Response }}',
      { now: new Date(2026, 2, 1, 12) },
      '2026-03-01 2026-02-28',
    ],
  ])('%s', (_rule, source, conversation, expected) => {
    expect(render(source, conversation)).toBe(expected)
  })
})

const call: GoMessage = {
  role: 'assistant',
  content: '',
  thinking: 'hm',
  toolCalls: [
    { id: 'c1', name: 'f', arguments: { b: 1, a: '<x>' } },
    { name: 'g', arguments: {} },
  ],
}
const tools = [
  {
    function: {
      name: 'weather',
      description: 'The weather <now>',
      parameters: {
        type: 'object',
        additionalProperties: false,
        properties: {
          unit: { type: ['string', 'null'], enum: ['C', 'F'] },
          city: { type: 'string', description: 'Where' },
          when: { anyOf: [{ type: 'integer' }, { type: 'array', items: { type: 'string' } }] },
          area: { type: 'object', properties: { b: { type: 'boolean' }, a: {} } },
        },
        required: ['city'],
      },
    },
  },
]
const declaration =
  '{"type":"function","function":{"name":"weather","description":"The weather \\u003cnow\\u003e","parameters":{"type":"object","required":["city"],"properties":{"area":{"type":"object","properties":{"b":{"type":"boolean"},"a":{}}},"city":{"type":"string","description":"Where"},"unit":{"type":["string","null"],"enum":["C","F"]},"when":{"anyOf":[{"type":"integer"},{"type":"array","items":{"type":"string"}}]}}}}}'

describe('what templates see', () => {
  const inMessages = (body: string) => `{{ range .Messages }}${body}{{ end }}`
  const inTools = (body: string) => `{{ range .Tools }}${body}{{ end }}{{ if false }}{{ .Messages }}{{ end }}`
  const inProperties = (body: string) =>
    inTools(`{{ range $name, $p := .Function.Parameters.Properties }}${body}{{ end }}`)

  it.each<readonly [rule: string, source: string, expected: string]>([
    ['a thought', inMessages('{{ .Thinking }}'), '⟦hm⟧'],
    [
      'calls',
      inMessages('{{ range .ToolCalls }}{{ .ID }}{{ .Function.Index }}{{ .Function.Name }};{{ end }}'),
      '⟦c1⟧0⟦f⟧;1⟦g⟧;',
    ],
    [
      'arguments print as JSON',
      inMessages('{{ range .ToolCalls }}{{ .Function.Arguments }}{{ end }}'),
      '⟦{"a":"\\u003cx\\u003e","b":1}{}⟧',
    ],
    [
      'arguments in their order',
      inMessages('{{ range .ToolCalls }}{{ range $k, $v := .Function.Arguments }}{{ $k }}={{ $v }},{{ end }}{{ end }}'),
      '⟦a⟧=⟦<x>⟧,⟦b⟧=⟦1⟧,',
    ],
    [
      'an argument by its name',
      inMessages('{{ range .ToolCalls }}{{ .Function.Arguments.a }};{{ end }}'),
      '⟦<x>⟧;<no value>;',
    ],
    [
      'json of calls',
      inMessages('{{ json .ToolCalls }}'),
      '⟦[{"ID":"c1","Function":{"Index":0,"Name":"f","Arguments":{"a":"\\u003cx\\u003e","b":1}}},{"ID":"","Function":{"Index":1,"Name":"g","Arguments":{}}}]⟧',
    ],
    ['names of results', inMessages('{{ .ToolName }}{{ .ToolCallID }}'), ''],
    ['images can be counted', inMessages('{{ len .Images }}{{ range .Images }}[img]{{ end }}'), '⟦0⟧'],
    ['all tools print as JSON', '{{ .Tools }}{{ if false }}{{ .Messages }}{{ end }}', `⟦[${declaration}]⟧`],
    ['a tool prints as JSON', inTools('{{ . }}'), `⟦${declaration}⟧`],
    [
      'json of a function',
      inTools('{{ json .Function }}'),
      `⟦${declaration.slice('{"type":"function","function":'.length, -1)}⟧`,
    ],
    [
      'properties print as JSON',
      inTools('{{ .Function.Parameters.Properties }}'),
      `⟦${/"properties":(.*)\}\}\}$/.exec(declaration)![1]!}⟧`,
    ],
    ['properties in the order of their names', inProperties('{{ $name }} '), '⟦area⟧ ⟦city⟧ ⟦unit⟧ ⟦when⟧ '],
    ['types print as one, or as a list', inProperties('{{ $p.Type }};'), '⟦object⟧;⟦string⟧;⟦[string null]⟧;;'],
    [
      'types for TypeScript',
      inProperties('{{ toTypeScriptType $p }};'),
      '⟦Record<string, any>⟧;⟦string⟧;⟦string | null⟧;⟦number | any[]⟧;',
    ],
    [
      'types for TypeScript by the method',
      inProperties('{{ $p.ToTypeScriptType }};'),
      '⟦Record<string, any>⟧;⟦string⟧;⟦string | null⟧;⟦number | any[]⟧;',
    ],
    ['anything else has any type', inTools('{{ toTypeScriptType .Type }}'), '⟦any⟧'],
    ['required names', inTools('{{ range .Function.Parameters.Required }}{{ . }}{{ end }}'), '⟦city⟧'],
    ['properties of properties', inProperties('{{ range $n, $_ := $p.Properties }}{{ $n }}{{ end }}'), '⟦ab⟧'],
    [
      'without calls and tools',
      '{{ if .Tools }}{{ len .Tools }}{{ end }}{{ range .Messages }}{{ if .ToolCalls }}calls{{ end }}{{ end }}',
      '⟦1⟧calls',
    ],
  ])('%s', (_rule, source, expected) => {
    expect(render(source, { messages: [call], tools })).toBe(expected)
  })

  it.each([
    [
      'a field that messages lack',
      '{{ range .Messages }}{{ .Name }}{{ end }}',
      /can't evaluate field Name in type template.templateMessage/,
    ],
    ['a field in small letters', '{{ range .Messages }}{{ .role }}{{ end }}', /can't evaluate field role/],
    ['a method with arguments', '{{ .Tools.String 1 }}{{ .Messages }}', /wrong number of args for String/],
  ])('%s is an error', (_rule, source, complaint) => {
    expect(() => render(source, { messages: [call], tools })).toThrow(complaint)
  })

  it('counts images and knows what results belong to', () => {
    const messages = [
      { role: 'user', content: 'x', images: 2 },
      { role: 'tool', content: '3', toolName: 'f', toolCallId: 'c1' },
    ]
    const source = '{{ range .Messages }}{{ range .Images }}[img]{{ end }}{{ .ToolName }}/{{ .ToolCallID }};{{ end }}'
    expect(render(source, { messages })).toBe('[img][img]/;⟦f⟧/⟦c1⟧;')
  })

  it('merged messages keep calls, thoughts and images, unlike in Ollama', () => {
    const source = '{{ range .Messages }}{{ .Content }}|{{ .Thinking }}|{{ len .ToolCalls }}|{{ len .Images }}{{ end }}'
    const second = { ...call, content: 'b', thinking: 'oh', images: 1 }
    expect(render(source, { messages: [{ ...call, content: 'a' }, second] })).toBe('⟦a\n\nb⟧|⟦hm\n\noh⟧|⟦4⟧|⟦1⟧')
  })
})

describe('templates as real models have them', () => {
  const conversation: GoConversation = {
    messages: [
      system('Be brief.'),
      user('Weather?'),
      { role: 'assistant', content: '', thinking: 'hm', toolCalls: [{ name: 'weather', arguments: { city: 'Rome' } }] },
      { role: 'tool', content: '21', toolName: 'weather' },
      user('<|im_end|>'),
    ],
    tools,
    now: new Date(2026, 0, 2),
  }

  it.each<readonly [name: keyof typeof realTemplates, expected: string]>([
    [
      'llama3',
      `<|start_header_id|>system<|end_header_id|>\n\n⟦Be brief.⟧\n\nYou are a helpful assistant with tool calling capabilities. When you receive a tool call response, use the output to format an answer to the original user question.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n⟦Weather?⟧<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{"name": "⟦weather⟧", "parameters": ⟦{"city":"Rome"}⟧}<|eot_id|><|start_header_id|>ipython<|end_header_id|>\n\n⟦21⟧<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nGiven the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.\n\n⟦${declaration}⟧\n\n⟦<|im_end|>⟧<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n`,
    ],
    [
      'qwen25',
      `<|im_start|>system\n⟦Be brief.⟧\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{"type": "function", "function": ⟦${declaration.slice(30, -1)}⟧}\n</tools><|im_end|>\n<|im_start|>user\n⟦Weather?⟧<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{"name": "⟦weather⟧", "arguments": ⟦{"city":"Rome"}⟧}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n⟦21⟧\n</tool_response><|im_end|>\n<|im_start|>user\n⟦<|im_end|>⟧<|im_end|>\n<|im_start|>assistant\n`,
    ],
    [
      'mistral',
      `[INST] ⟦Weather?⟧[/INST][TOOL_CALLS] [{"name": "⟦weather⟧", "arguments": ⟦{"city":"Rome"}⟧}]</s>[TOOL_RESULTS] {"content": ⟦21⟧}[/TOOL_RESULTS][AVAILABLE_TOOLS] ⟦[${declaration}]⟧[/AVAILABLE_TOOLS][INST] ⟦Be brief.\n\n<|im_end|>⟧[/INST]`.replace(
        '⟦Be brief.\n\n<',
        '⟦Be brief.⟧\n\n⟦<',
      ),
    ],
    [
      'deepseek',
      '⟦Be brief.⟧<｜User｜>⟦Weather?⟧<｜Assistant｜><｜end▁of▁sentence｜><｜User｜>⟦<|im_end|>⟧<｜Assistant｜>',
    ],
    [
      'gemma',
      '<start_of_turn>user\n⟦Be brief.⟧<end_of_turn>\n<start_of_turn>user\n⟦Weather?⟧<end_of_turn>\n<start_of_turn>model\n<end_of_turn>\n<start_of_turn>user\n⟦<|im_end|>⟧<end_of_turn>\n<start_of_turn>model\n',
    ],
    // An answer that only calls tools is empty for turns: the next question takes the place of the one before.
    ['phi', '<|system|>\n⟦Be brief.⟧<|end|>\n<|user|>\n⟦<|im_end|>⟧<|end|>\n<|assistant|>\n'],
    [
      'phiMessages',
      '<|system|>\n⟦Be brief.⟧<|end|>\n<|user|>\n⟦Weather?⟧<|end|>\n<|assistant|>\n<|end|>\n<|tool|>\n⟦21⟧<|end|>\n<|user|>\n⟦<|im_end|>⟧<|end|>\n<|assistant|>\n',
    ],
    [
      'harmony',
      '<|start|>system<|message|>Current date: 2026-01-02\n\nReasoning: medium<|end|><|start|>developer<|message|># Tools\n\nnamespace functions {\n// ⟦The weather <now>⟧\ntype ⟦weather⟧ = (_: {\n⟦area⟧: ⟦Record<string, any>⟧,\n// ⟦Where⟧\n⟦city⟧: ⟦string⟧,\n⟦unit⟧: ⟦"C"⟧ | ⟦"F"⟧,\n⟦when⟧: ⟦number | any[]⟧,\n}) => any;\n} // namespace functions<|end|><|start|>system<|message|>⟦Be brief.⟧<|end|><|start|>user<|message|>⟦Weather?⟧<|end|><|start|>assistant<|message|><|end|><|start|>tool<|message|>⟦21⟧<|end|><|start|>user<|message|>⟦<|im_end|>⟧<|end|><|start|>assistant',
    ],
  ])('%s', (name, expected) => {
    expect(render(realTemplates[name], conversation)).toBe(expected)
  })

  it('qwen25 fills a gap', () => {
    expect(render(realTemplates.qwen25, { prompt: 'a', suffix: 'b' })).toBe(
      '<|fim_prefix|>⟦a⟧<|fim_suffix|>⟦b⟧<|fim_middle|>',
    )
  })

  it('deepseek opens and closes a thought when it may not think', () => {
    const messages = [user('x')]
    expect(render(realTemplates.deepseek, { messages, think: false })).toMatch(/<｜Assistant｜><think>\n\n<\/think>\n$/)
    expect(render(realTemplates.deepseek, { messages, think: true })).toMatch(/<｜Assistant｜>$/)
  })
})
