import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { NativeChatAnswer, NativeChatFormat, NativeChatTemplate, NativeModel } from '../../lib/native.js'
import { text } from '../support/gguf-writer.js'
import { hasPeer, runPeer } from '../support/peer-tool.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { chatInput } from './bare-addon.mjs'
import { loadRawModel } from './raw-engine.js'

interface TemplateLine {
  readonly kind: 'template'
  readonly id: number
  readonly source: string
}

interface PromptLine {
  readonly kind: 'prompt'
  readonly template: number
  readonly messages: readonly object[]
  readonly tools: readonly object[] | null
  readonly toolChoice: 'auto' | 'required' | 'none'
  readonly parallelToolCalls: boolean
  readonly schema: string
  readonly grammar: string
  readonly thinking: boolean
  readonly separateThinking: boolean
  readonly variables: object
  readonly addGenerationPrompt: boolean
  readonly continuation: number
  readonly now: number
  readonly prompt: string
  readonly answerGrammar: string
}

interface AnswerLine extends NativeChatAnswer {
  readonly kind: 'answer'
  readonly text: string
  readonly partial: boolean
  readonly grows: boolean
}

type Line = TemplateLine | PromptLine | AnswerLine

const directory = temporaryDirectory()
const sources = fileURLToPath(new URL('../../llama.cpp/source', import.meta.url))
const addon = nativeAddon()

/** llama.cpp's test has no model, so its templates see neither BOS nor EOS; this vocabulary has none. */
const endless = {
  'tokenizer.ggml.model': text('rwkv'),
  'tokenizer.ggml.bos_token_id': undefined,
  'tokenizer.ggml.eos_token_id': undefined,
}

/** llama.cpp's `common_chat_continuation`, by number. */
const continuations = ['none', 'auto', 'reasoning', 'content'] as const

describe.skipIf(!hasPeer('test-chat'))("the conversations and answers of llama.cpp's own tests", () => {
  let model: NativeModel
  let lines: readonly Line[]
  const templates = new Map<number, Promise<NativeChatTemplate>>()
  const counts = { prompts: 0, answers: 0, cuts: 0 }

  beforeAll(async () => {
    const file = join(directory.path, 'samples.jsonl')
    runPeer('test-chat', [], sources, { LLAMERO_CHAT_SAMPLES: file })
    lines = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line)
    const vocabulary = await directory.write('endless.gguf', randomModel('llama', { metadata: endless }))
    model = await loadRawModel(vocabulary, true)
    expect(addon.modelInfo(model)).toMatchObject({ bosToken: -1, eosToken: -1 })
  })

  async function promptOf(line: PromptLine): Promise<NativeChatFormat> {
    const template = templates.get(line.template)
    if (template === undefined) throw new Error(`there is no template ${line.template}`)
    const { parts, grammar, format } = await addon.chatPrompt(
      await template,
      chatInput({
        ...line,
        messagesJson: JSON.stringify(line.messages),
        toolsJson: line.tools === null ? '' : JSON.stringify(line.tools),
        schemaJson: line.schema,
        variablesJson: JSON.stringify(line.variables),
        continueFinalMessage: continuations[line.continuation] ?? 'none',
      }),
    )
    expect(parts.map((part) => part.text).join('')).toBe(line.prompt)
    expect(grammar.grammar).toBe(line.answerGrammar === '' ? line.grammar : line.answerGrammar)
    return format
  }

  async function checkAnswer(format: NativeChatFormat, line: AnswerLine): Promise<void> {
    const { partial, grows, content, reasoning, toolCalls } = line
    expect(await addon.chatParse(format, line.text, partial)).toEqual({ content, reasoning, toolCalls })
    const characters = [...line.text]
    let last: NativeChatAnswer = { content: '', reasoning: '', toolCalls: [] }
    for (let length = 1; length < characters.length; length++) {
      const answer = await addon.chatParse(format, characters.slice(0, length).join(''), true)
      if (grows) expectLonger(answer, last)
      last = answer
      counts.cuts++
    }
  }

  it('come to the same prompts, and to the same parts, whole and cut', { timeout: 900_000 }, async () => {
    let format: Promise<NativeChatFormat> | undefined
    for (const line of lines) {
      if (line.kind === 'template') {
        templates.set(line.id, addon.chatTemplate(model, line.source))
      } else if (line.kind === 'prompt') {
        format = promptOf(line)
        await format
        counts.prompts++
      } else if (format !== undefined) {
        await checkAnswer(await format, line)
        counts.answers++
      }
    }
    expect(counts.prompts).toBeGreaterThan(400)
    expect(counts.answers).toBeGreaterThan(400)
  })
})

function expectLonger(answer: NativeChatAnswer, last: NativeChatAnswer): void {
  expect(answer.content.startsWith(last.content)).toBe(true)
  expect(answer.reasoning.startsWith(last.reasoning)).toBe(true)
  for (const [index, call] of last.toolCalls.entries()) {
    expect(answer.toolCalls[index]?.arguments.startsWith(call.arguments)).toBe(true)
  }
}
