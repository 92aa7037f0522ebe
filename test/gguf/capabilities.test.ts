import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { gapTokens } from '../../lib/gguf/capabilities.js'
import { modelCapabilities, readGguf, type CapabilityOptions } from '../../lib/gguf/index.js'
import { array, bool, text, u32, writeGguf, type WriterValue } from '../support/gguf-writer.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()

async function header(metadata: Record<string, WriterValue>) {
  return readGguf(await directory.write('model.gguf', writeGguf({ metadata })))
}

async function capabilities(metadata: Record<string, WriterValue>, options: CapabilityOptions = {}) {
  return modelCapabilities(await header({ 'general.architecture': text('llama'), ...metadata }), options)
}

const template = (value: string) => ({ 'tokenizer.chat_template': text(value) })
const tokens = (...texts: string[]) => ({ 'tokenizer.ggml.tokens': array('string', texts) })

describe('capabilities', () => {
  it.each<[string, Record<string, WriterValue>, string[]]>([
    ['a plain model', {}, ['completion']],
    ['one that says how vectors are pooled', { 'llama.pooling_type': u32(1) }, ['embedding']],
    ['a key of another architecture', { 'bert.pooling_type': u32(1) }, ['completion']],
    ['eyes of its own', { 'llama.vision.block_count': u32(2) }, ['completion', 'vision']],
    ['ears of its own', { 'llama.audio.block_count': u32(2) }, ['completion', 'audio']],
    ['a template with tools', template('{% for tool in tools %}'), ['completion', 'tools']],
    ['a template with calls', template('{{ message.tool_calls }}'), ['completion', 'tools']],
    ['a template that thinks', template('<think>{{ x }}</think>'), ['completion', 'thinking']],
    ['one that cuts thoughts out', template(`{{ content.split('</think>')[-1] }}`), ['completion', 'thinking']],
    [
      'one that cuts them out of its history',
      template(`{{ reasoning_content or content.split('</think>')[0] }}`),
      ['completion'],
    ],
    ['half a tag', template('<think>'), ['completion']],
    ['gpt-oss', { 'general.architecture': text('gpt-oss') }, ['completion', 'thinking']],
    [
      'keys of a gap',
      { 'tokenizer.ggml.fim_pre_token_id': u32(1), 'tokenizer.ggml.suffix_token_id': u32(2) },
      ['completion', 'insert'],
    ],
    ['tokens of a gap', tokens('a', '<fim_prefix>', '<fim_suffix>'), ['completion', 'insert']],
    [
      'a key and a token of a gap',
      { 'tokenizer.ggml.fim_pre_token_id': u32(1), ...tokens('<SUF>') },
      ['completion', 'insert'],
    ],
    ['half a gap', tokens('a', '<fim_prefix>', '<PRE>'), ['completion']],
  ])('%s', async (_, metadata, expected) => {
    expect(await capabilities(metadata)).toEqual(expected)
  })

  it('of a projector beside it', async () => {
    const eyes = await header({ 'general.architecture': text('clip'), 'clip.has_vision_encoder': bool(true) })
    expect(await capabilities({}, { projector: eyes })).toEqual(['completion', 'vision'])
    const both = await header({ 'general.architecture': text('clip'), 'clip.has_audio_encoder': bool(true) })
    expect(await capabilities({}, { projector: both })).toEqual(['completion', 'vision', 'audio'])
    const gemma3n = { 'general.architecture': text('gemma3n') }
    expect(await capabilities(gemma3n, { projector: both })).toEqual(['completion', 'vision'])
  })

  const source = new URL('../../llama.cpp/source/src/llama-vocab.cpp', import.meta.url)

  it.skipIf(!existsSync(source))('knows the tokens that llama.cpp knows', () => {
    const code = readFileSync(source, 'utf8')
    for (const [part, texts] of [
      ['PRE', gapTokens.prefix],
      ['SUF', gapTokens.suffix],
    ] as const) {
      const lines = code.slice(
        code.indexOf(`// find FIM_${part} token`),
        code.indexOf(`special_fim_${part.toLowerCase()}_id = t.second`),
      )
      expect([...lines.matchAll(/t\.first == "([^"]+)"/g)].map(([, found]) => found)).toEqual([...texts])
    }
  })
})
