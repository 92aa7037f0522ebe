import { describe, expect, it } from 'vitest'
import { goAnswerFormat, type GoAnswerShape } from '../../lib/chat/go-answer.js'

const shape: GoAnswerShape = {
  thinking: { open: '<think>', close: '</think>' },
  beginsThinking: false,
  toolCallTag: '<tool_call>',
  toolNames: ['get_weather', 'get_weather_history', 'stop'],
}
const read = (text: string, change: Partial<GoAnswerShape> = {}, isPartial = false) =>
  goAnswerFormat({ ...shape, ...change })?.parse(text, isPartial)
const call = (name: string, given: object) => ({ id: '', name, arguments: JSON.stringify(given) })

describe('answers behind Go templates', () => {
  it('are text where the template tells nothing', () =>
    expect(goAnswerFormat({ ...shape, thinking: undefined, toolNames: [] })).toBeUndefined())

  it.each<[string, string, Partial<GoAnswerShape>, object]>([
    ['text', 'hi', {}, { content: 'hi', reasoning: '', toolCalls: [] }],
    ['thinking', '\n<think>\nhm\n</think>\n\nhi', {}, { content: 'hi', reasoning: 'hm', toolCalls: [] }],
    ['thinking that the prompt opened', 'hm</think>hi', { beginsThinking: true }, { content: 'hi', reasoning: 'hm' }],
    ['thinking without an end', '<think>hm', {}, { content: '', reasoning: 'hm' }],
    ['a tag in the middle', 'a <think>b</think>', {}, { content: 'a <think>b</think>', reasoning: '' }],
    [
      'calls',
      '<tool_call>{"name": "get_weather", "arguments": {"city": "Rome"}}</tool_call>\n<tool_call>{"name":"stop","parameters":{}}</tool_call>',
      {},
      { content: '', toolCalls: [call('get_weather', { city: 'Rome' }), call('stop', {})] },
    ],
    [
      'a list of calls',
      '[TOOL_CALLS] [{"name": "stop", "arguments": {"a": [1]}}, {"name": "stop", "arguments": {}}]',
      { toolCallTag: '[TOOL_CALLS]' },
      { content: '', toolCalls: [call('stop', { a: [1] }), call('stop', {})] },
    ],
    [
      'a call by its name as key',
      'x <tool_call>{"stop": {"now": true}}',
      {},
      { content: 'x', toolCalls: [call('stop', { now: true })] },
    ],
    [
      'arguments behind a name, the longest that fits',
      '<tool_call>get_weather_history{"city": "Rome"}',
      {},
      { toolCalls: [call('get_weather_history', { city: 'Rome' })] },
    ],
    [
      'a call that begins with a brace',
      ' {"name": "stop", "parameters": {"a": "}"}}',
      { toolCallTag: '{' },
      { content: '', toolCalls: [call('stop', { a: '}' })] },
    ],
    ['a brace in the middle', 'see {"name": "stop"}', { toolCallTag: '{' }, { content: 'see {"name": "stop"}' }],
    ['JSON of no tool', '{"name": "other"}', { toolCallTag: '{' }, { content: '{"name": "other"}', toolCalls: [] }],
    ['a call that is no JSON', '<tool_call>{"name": stop', {}, { content: '<tool_call>{"name": stop', toolCalls: [] }],
    [
      'a key of the prototype',
      '<tool_call>{"__proto__": {"x": 1}, "name": "stop"}',
      {},
      { toolCalls: [call('stop', {})] },
    ],
  ])('take %s apart', async (_what, text, change, expected) => {
    expect(await read(text, change)).toMatchObject(expected)
  })

  it('grow with the text, at every character', async () => {
    const text =
      '<think>hm, <b></think>Well <i>then</i>.<tool_call>{"name": "stop", "arguments": {"a": "b"}}</tool_call>'
    let before = { content: '', reasoning: '', toolCalls: [] as readonly unknown[] }
    for (let end = 0; end <= text.length; end++) {
      const now = await read(text.slice(0, end), {}, true)
      expect(now?.content.startsWith(before.content)).toBe(true)
      expect(now?.reasoning.startsWith(before.reasoning)).toBe(true)
      expect(now?.toolCalls.slice(0, before.toolCalls.length)).toEqual(before.toolCalls)
      before = now ?? before
    }
    expect(before).toEqual({
      content: 'Well <i>then</i>.',
      reasoning: 'hm, <b>',
      toolCalls: [call('stop', { a: 'b' })],
    })
  })

  it('take a megabyte of openings in no time', async () => {
    const start = performance.now()
    await read('<tool_call>'.repeat(95_000))
    await read(`<tool_call>${'{'.repeat(1_000_000)}`)
    expect(performance.now() - start).toBeLessThan(2000)
  })
})
