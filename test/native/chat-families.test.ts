import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { NativeChatAnswer, NativeChatFormat, NativeModel } from '../../lib/native.js'
import { chatInput } from './bare-addon.mjs'
import { loadRawModel } from './raw-engine.js'
import { vocabularyPath } from './vocabulary-file.js'

interface Family {
  readonly template: string
  /** What the model writes behind the prompt. */
  readonly text: string
  readonly content?: string
  readonly reasoning?: string
  readonly id?: string
}

const json = '{"arg1": 1}'

// One call of each big family, as its models write it.
const families: readonly Family[] = [
  {
    template: 'Qwen-Qwen2.5-7B-Instruct',
    text: `I will.\n<tool_call>\n{"name": "special_function", "arguments": ${json}}\n</tool_call>`,
    content: 'I will.',
  },
  {
    template: 'Qwen-Qwen3-0.6B',
    text: `<think>\nHm.\n</think>\n\n<tool_call>\n{"name": "special_function", "arguments": ${json}}\n</tool_call>`,
    reasoning: 'Hm.',
  },
  {
    template: 'Qwen3-Coder',
    text: '<tool_call>\n<function=special_function>\n<parameter=arg1>\n1\n</parameter>\n</function>\n</tool_call>',
  },
  {
    template: 'Qwen3.5-4B',
    text:
      'Hm.\n</think>\n\n<tool_call>\n<function=special_function>\n' +
      '<parameter=arg1>\n1\n</parameter>\n</function>\n</tool_call>',
    reasoning: 'Hm.',
  },
  { template: 'meta-llama-Llama-3.1-8B-Instruct', text: `{"name": "special_function", "parameters": ${json}}` },
  {
    template: 'mistralai-Mistral-Nemo-Instruct-2407',
    text: `[TOOL_CALLS][{"name": "special_function", "arguments": ${json}, "id": "123456789"}]`,
    id: '123456789',
  },
  {
    template: 'mistralai-Ministral-3-14B-Reasoning-2512',
    text: `[THINK]Hm.[/THINK][TOOL_CALLS]special_function[ARGS]${json}`,
    reasoning: 'Hm.',
  },
  {
    template: 'openai-gpt-oss-120b',
    text:
      '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.special_function ' +
      `<|constrain|>json<|message|>${json}`,
    reasoning: 'Hm.',
  },
  {
    template: 'deepseek-ai-DeepSeek-V3.1',
    text:
      'Hm.</think><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>special_function<｜tool▁sep｜>' +
      `${json}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
    reasoning: 'Hm.',
  },
  { template: 'google-gemma-4-31B-it', text: '<|tool_call>call:special_function{arg1:1}<tool_call|>' },
  {
    template: 'moonshotai-Kimi-K2',
    text:
      'I will.<|tool_calls_section_begin|><|tool_call_begin|>functions.special_function:0' +
      `<|tool_call_argument_begin|>${json}<|tool_call_end|><|tool_calls_section_end|>`,
    content: 'I will.',
    id: 'functions.special_function:0',
  },
  {
    template: 'CohereForAI-c4ai-command-r7b-12-2024-tool_use',
    text:
      '<|START_THINKING|>Hm.<|END_THINKING|><|START_ACTION|>[\n' +
      `    {"tool_call_id": "0", "tool_name": "special_function", "parameters": ${json}}\n]<|END_ACTION|>`,
    reasoning: 'Hm.',
    id: '0',
  },
  {
    template: 'GLM-4.7-Flash',
    text: 'Hm.</think><tool_call>special_function<arg_key>arg1</arg_key><arg_value>1</arg_value></tool_call>',
    reasoning: 'Hm.',
  },
  {
    template: 'MiniMax-M2',
    text:
      'Hm.</think>\n\n<minimax:tool_call>\n<invoke name="special_function">\n' +
      '<parameter name="arg1">1</parameter>\n</invoke>\n</minimax:tool_call>',
    reasoning: 'Hm.',
  },
  {
    template: 'LFM2.5-8B-A1B',
    text: '<think>Hm.</think><|tool_call_start|>[special_function(arg1=1)]<|tool_call_end|>',
    reasoning: 'Hm.',
  },
  {
    template: 'NVIDIA-Nemotron-Nano-v2',
    text: `Hm.</think><TOOLCALL>[{"name": "special_function", "arguments": ${json}}]</TOOLCALL>`,
    reasoning: 'Hm.',
  },
]

const addon = nativeAddon()
const templates = new URL('../../llama.cpp/source/models/templates/', import.meta.url)
const tool = {
  type: 'function',
  function: {
    name: 'special_function',
    description: 'Special.',
    parameters: {
      type: 'object',
      properties: { arg1: { type: 'integer', description: 'The arg.' } },
      required: ['arg1'],
    },
  },
}

let model: NativeModel
beforeAll(async () => {
  model = await loadRawModel(vocabularyPath('qwen2'), true)
})
afterAll(() => addon.modelClose(model))

describe.each(families)('an answer of $template', ({ template, text, content = '', reasoning = '', id = '' }) => {
  let format: NativeChatFormat
  beforeAll(async () => {
    const source = readFileSync(fileURLToPath(new URL(`${template}.jinja`, templates)), 'utf8')
    const prompt = await addon.chatPrompt(
      await addon.chatTemplate(model, source),
      chatInput({ toolsJson: JSON.stringify([tool]) }),
    )
    expect(prompt.isPlain).toBe(false)
    format = prompt.format
  })
  const trimmed = (answer: NativeChatAnswer) => ({
    content: answer.content.trim(),
    reasoning: answer.reasoning.trim(),
    toolCalls: answer.toolCalls.map((call) => ({ ...call, arguments: JSON.parse(call.arguments) as unknown })),
  })

  it('is taken apart', async () => {
    const expected = { content, reasoning, toolCalls: [{ id, name: 'special_function', arguments: { arg1: 1 } }] }
    expect(trimmed(await addon.chatParse(format, text, false))).toEqual(expected)
  })

  it('that has just begun is taken apart as far as it goes', async () => {
    let last: NativeChatAnswer = { content: '', reasoning: '', toolCalls: [] }
    for (let length = 1; length <= text.length; length++) {
      const answer = await addon.chatParse(format, text.slice(0, length), length < text.length)
      expect(answer.reasoning.startsWith(last.reasoning)).toBe(true)
      expect(answer.toolCalls.length).toBeGreaterThanOrEqual(last.toolCalls.length)
      for (const [index, { arguments: begun }] of last.toolCalls.entries()) {
        expect(answer.toolCalls[index]?.arguments.startsWith(begun)).toBe(true)
      }
      last = answer
    }
    expect(last.toolCalls).toHaveLength(1)
  })

  it('that does not follow the format is text, and never an error', async () => {
    for (const broken of [
      text.slice(0, -8),
      text.slice(5),
      `${text}${text.slice(0, 20)}`,
      '',
      '\u0000<',
      text.slice(9, 30),
    ]) {
      for (const isPartial of [true, false]) await addon.chatParse(format, broken, isPartial)
    }
  })
})
