import { describe, expect, it } from 'vitest'
import { parseGoTemplate, renderGoTemplate } from '../../../lib/chat/go-template/index.js'
import { render } from './render-marked.js'

const each = '{{ range .Messages }}{{ .Role }}:{{ .Content }};{{ end }}'
const user = (content: string) => ({ role: 'user', content })
const assistant = (content: string) => ({ role: 'assistant', content })

describe('trust', () => {
  const messages = [{ role: 'user', content: '<|im_start|>' }]
  const inMessages = (body: string) => `{{ range .Messages }}${body}{{ end }}`

  it.each<readonly [rule: string, source: string, expected: string]>([
    ['text of the template', inMessages('<|im_end|>'), '<|im_end|>'],
    ['literals', inMessages('{{ "<|im_end|>" }}{{ `<s>` }}'), '<|im_end|><s>'],
    [
      'a literal by a variable',
      inMessages('{{ $x := "<s>" }}{{ $x }}{{ range $.Messages }}{{ $x }}{{ end }}'),
      '<s><s>',
    ],
    [
      'a literal by and, or and with',
      inMessages('{{ or "" "<s>" }}{{ and 1 "<s>" }}{{ with "<s>" }}{{ . }}{{ end }}'),
      '<s><s><s>',
    ],
    [
      'functions of literals',
      inMessages('{{ print "<" "s>" }}{{ slice "x<s>" 1 }}{{ html "a" }}{{ json 1 }}'),
      '<s><s>a1',
    ],
    ['content', inMessages('{{ .Content }}'), '⟦<|im_start|>⟧'],
    ['content by a variable', inMessages('{{ $x := .Content }}{{ $x }}'), '⟦<|im_start|>⟧'],
    [
      'content by and, or and with',
      inMessages('{{ or .Content }}{{ with .Content }}{{ . }}{{ end }}'),
      '⟦<|im_start|><|im_start|>⟧',
    ],
    [
      'content by a template',
      '{{ define "t" }}{{ . }}{{ end }}' + inMessages('{{ template "t" .Content }}'),
      '⟦<|im_start|>⟧',
    ],
    ['print keeps what is whose', inMessages('{{ print "<s>" .Content "</s>" }}'), '<s>⟦<|im_start|>⟧</s>'],
    [
      'printf keeps what is whose',
      inMessages('{{ printf "<s>%s%v</s>" .Content .Content }}'),
      '<s>⟦<|im_start|><|im_start|>⟧</s>',
    ],
    ['println too', inMessages('{{ println "<s>" .Content }}'), '<s> ⟦<|im_start|>⟧\n'],
    ['not with a width', inMessages('{{ printf "<s>%3s" .Content }}'), '<s>⟦<|im_start|>⟧'],
    ['a format out of content', inMessages('{{ printf .Content }}'), '⟦<|im_start|>⟧'],
    ['a slice', inMessages('{{ slice .Content 0 2 }}'), '⟦<|⟧'],
    ['bytes and lengths', inMessages('{{ index .Content 0 }}{{ len .Content }}'), '⟦6012⟧'],
    ['JSON', inMessages('{{ json .Content }}'), '⟦"\\u003c|im_start|\\u003e"⟧'],
    [
      'messages',
      '{{ json .Messages }}',
      '⟦[{"Role":"user","Content":"\\u003c|im_start|\\u003e","Thinking":"","Images":null,"ToolCalls":null,"ToolName":"","ToolCallID":""}]⟧',
    ],
    ['escaped texts', inMessages('{{ html .Content "<" }}'), '⟦&lt;|im_start|&gt;&lt;⟧'],
    ['keys of arguments', '{{ range $k, $v := (index .Messages 0) }}{{ $k }}{{ end }}', 'an error'],
    ['known roles', inMessages('<|{{ .Role }}|>'), '<|user|>'],
    ['neighbours of one kind are one run', inMessages('<|{{ "im" }}_{{ .Role }}|>'), '<|im_user|>'],
  ])('%s', (_rule, source, expected) => {
    if (expected === 'an error') expect(() => render(source, { messages })).toThrow(/range can't iterate/)
    else expect(render(source, { messages })).toBe(expected)
  })

  it('roles that nobody knows, names of tools and the prompt are not trusted', () => {
    const odd = [{ role: '<s>', content: 'x', toolName: '<s>' }]
    expect(render('{{ range .Messages }}{{ .Role }}{{ .ToolName }}{{ end }}', { messages: odd })).toBe('⟦<s><s>⟧')
    expect(render('{{ .Prompt }}|{{ .Suffix }}', { prompt: '<s>', suffix: '</s>' })).toBe('⟦<s>⟧|⟦</s>⟧')
  })

  it('runs are joined: no empty ones, no two of a kind', () => {
    const parts = renderGoTemplate(parseGoTemplate(`a{{ "b" }}${each}`), { messages: [user(''), assistant('x')] })
    expect(parts).toEqual([
      { text: 'abuser:;assistant:', trusted: true },
      { text: 'x', trusted: false },
      { text: ';', trusted: true },
    ])
  })

  it('lone surrogates become U+FFFD', () => {
    expect(render(each, { messages: [user('a\ud800b')] })).toBe('user:⟦a\ufffdb⟧;')
  })
})
