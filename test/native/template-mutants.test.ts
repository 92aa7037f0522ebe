import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import { nativeAddon } from '../../lib/native.js'
import type { NativeModel } from '../../lib/native.js'
import { randomBelow, seededRandom, type Random } from '../support/seeded-random.js'
import { chatInput } from './bare-addon.mjs'
import { loadRawModel } from './raw-engine.js'
import { vocabularyPath } from './vocabulary-file.js'

const addon = nativeAddon()
const templates = new URL('../../llama.cpp/source/models/templates/', import.meta.url)
const names = ['Qwen3-Coder', 'meta-llama-Llama-3.1-8B-Instruct', 'GLM-4.7-Flash', 'openai-gpt-oss-120b']
const mutantsEach = 40

let model: NativeModel
beforeAll(async () => {
  model = await loadRawModel(vocabularyPath('qwen2'), true)
})
afterAll(() => addon.modelClose(model))

const call = { type: 'function', id: 'call00001', function: { name: 'f', arguments: '{"a": [1, {"b": null}]}' } }
const tool = { type: 'function', function: { name: 'f', description: 'F.', parameters: { type: 'object' } } }
const input = chatInput({
  messagesJson: JSON.stringify([
    { role: 'system', content: 'A' },
    { role: 'user', content: 'B' },
    { role: 'assistant', content: '', reasoning_content: 'C', tool_calls: [call] },
    { role: 'tool', tool_call_id: 'call00001', name: 'f', content: 'D' },
    { role: 'user', content: 'E' },
  ]),
  toolsJson: JSON.stringify([tool]),
})

const words = [
  '{{',
  '}}',
  '{%',
  '%}',
  '(',
  ')',
  '[',
  ']',
  "'",
  '|',
  'none',
  '-1',
  'loop',
  'namespace()',
  '"\\uD800"',
  '',
]

/** One to three edits of what a template is made of: left out, put in twice, elsewhere, or in place of each other. */
function mutate(source: string, random: Random): string {
  const tokens = source.split(/(\{[{%#]-?|-?[}%#]\}|\b\w+\b|\s+)/).filter((token) => token !== '')
  for (let edits = 1 + randomBelow(random, 3); edits > 0; edits--) {
    const at = randomBelow(random, tokens.length)
    const other = randomBelow(random, tokens.length)
    const length = 1 + randomBelow(random, 6)
    const kind = randomBelow(random, 5)
    if (kind === 0) tokens.splice(at, length)
    else if (kind === 1) tokens.splice(at, 0, ...tokens.slice(at, at + length))
    else if (kind === 2) tokens.splice(at, 0, ...tokens.slice(other, other + length))
    else if (kind === 3) tokens[at] = tokens[other] ?? ''
    else tokens[at] = words[randomBelow(random, words.length)] ?? ''
  }
  return tokens.join('')
}

/** How far a template comes: to a prompt and an answer behind it, or to an error that says so. */
async function outcome(source: string): Promise<string> {
  try {
    const chatTemplate = await addon.chatTemplate(model, source)
    const { format, parts } = await addon.chatPrompt(chatTemplate, input)
    const answer = `${parts.at(-1)?.text ?? ''}<think>x</think><tool_call>{"name": "f", "arguments": {}}</tool_call>`
    for (const isPartial of [true, false]) await addon.chatParse(format, answer, isPartial)
    return 'taken'
  } catch (error) {
    if (error instanceof LlameroError) return error.code
    throw error
  }
}

describe('damaged templates', () => {
  it.each(names)('are taken or refused: %s', { timeout: 600_000 }, async (name) => {
    const source = readFileSync(fileURLToPath(new URL(`${name}.jinja`, templates)), 'utf8')
    expect(await outcome(source)).toBe('taken')
    const outcomes = new Set<string>()
    for (let seed = 0; seed < mutantsEach; seed++) outcomes.add(await outcome(mutate(source, seededRandom(seed))))
    expect([...outcomes].sort()).toEqual(['ERR_TEMPLATE', 'taken'])
  })
})
