import { describe, expect, it } from 'vitest'
import {
  goTemplateCapabilities,
  parseGoTemplate,
  thinkingTags,
  toolCallTag,
} from '../../../lib/chat/go-template/index.js'

describe('what a template tells about a model', () => {
  const thinks = '{{ range .Messages }}{{ if .Thinking }}<think>\n{{ .Thinking }}\n</think>{{ end }}{{ end }}'

  it.each<readonly [source: string, capabilities: readonly string[]]>([
    ['{{ .Prompt }}', []],
    ['{{ .Tools }}', ['tools']],
    ['{{ range $.tools }}{{ end }}', ['tools']],
    ['{{ if .Suffix }}{{ end }}', ['insert']],
    ['{{ define "t" }}{{ (index . 0).Tools }}{{ end }}', ['tools']],
    ['{{/* .Tools */}}{{ ".Suffix" }} .Tools {{ $tools := 1 }}{{ $tools }}', []],
    [thinks, ['thinking']],
    ['{{ range .Messages }}{{ .Thinking }}{{ end }}', []],
    ['{{ .Tools }}{{ .Suffix }}' + thinks, ['tools', 'insert', 'thinking']],
  ])('%s: %j', (source, capabilities) => {
    expect(goTemplateCapabilities(parseGoTemplate(source))).toEqual(capabilities)
  })

  it.each<readonly [source: string, tags: readonly [string, string] | undefined]>([
    [thinks, ['<think>', '</think>']],
    ['{{ range $m := $.Messages }}[T]{{ $m.Thinking }}[/T]{{ end }}', ['[T]', '[/T]']],
    ['{{ range .Messages }}{{ if and $last .Thinking }}x{{ end }}y{{ end }}'.replace('$last', '1'), undefined],
    ['{{ range .Other }}<a>{{ .Thinking }}</a>{{ end }}', undefined],
    ['<a>{{ .Thinking }}</a>', undefined],
  ])('tags of thoughts in %s', (source, tags) => {
    const expected = tags && { open: tags[0], close: tags[1] }
    expect(thinkingTags(parseGoTemplate(source))).toEqual(expected)
  })

  it.each<readonly [source: string, tag: string]>([
    ['{{ .Prompt }}', '{'],
    ['{{ range .Messages }}{{ if .ToolCalls }}<tool_call>\n{"name": 1}{{ end }}{{ end }}', '<tool_call>'],
    [
      '{{ range .Messages }}{{ if .Content }}a{{ else if .ToolCalls }}\n{{ range .ToolCalls }}[CALL]{{ end }}{{ end }}{{ end }}',
      '[CALL]',
    ],
    ['{{ range .Messages }}{{ if and .ToolCalls 1 }}{"name": 1}{{ end }}{{ end }}', '{'],
    ['{{ if .ToolCalls }}{{ json .ToolCalls }}{{ end }}', '{'],
  ])('tag of calls in %s: %s', (source, tag) => {
    expect(toolCallTag(parseGoTemplate(source))).toBe(tag)
  })
})
