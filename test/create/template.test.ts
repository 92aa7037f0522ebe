import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseGoTemplate, renderGoTemplate } from '../../lib/chat/index.js'
import { create } from '../../lib/create/index.js'
import { knownTemplate } from '../../lib/create/known-template.js'
import { readGguf } from '../../lib/gguf/index.js'
import { Store } from '../../lib/store/index.js'
import { expectClean } from '../store/clean-store.js'
import { text } from '../support/gguf-writer.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const temporary = temporaryDirectory()

function workshop() {
  const directory = mkdtempSync(join(temporary.path, 'template-'))
  const weights = randomModel('llama', { metadata: { 'tokenizer.chat_template': undefined } })
  writeFileSync(join(directory, 'weights.gguf'), weights)
  const store = new Store({ directory: join(directory, 'models') })
  return { store, make: (modelfile: string) => create(store, 'm', modelfile, { directory, probe: false }) }
}

describe('a TEMPLATE', () => {
  it.each([
    ['{{ .Prompt', 'template error: The Go template failed at line 1, column 11: unclosed action.', 1, 11],
    ['"""a\n{{ if .Prompt }}\n{{ nope }}{{ end }}"""', 'function "nope" not defined', 3, 4],
    ['{{ if .System }}x', 'unexpected EOF', 1, 18],
  ])('that cannot be parsed is refused with its place: %s', async (template, words, line, column) => {
    const { store, make } = workshop()
    await expect(make(`FROM weights.gguf\nTEMPLATE ${template}`)).rejects.toMatchObject({
      code: 'ERR_TEMPLATE',
      message: expect.stringContaining(words) as string,
      details: { line, column },
    })
    await expect(store.show('m')).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
    await expectClean(store)
  })

  it('is refused before a base is looked for', async () => {
    await expect(workshop().make('FROM no-such-model\nTEMPLATE {{')).rejects.toMatchObject({ code: 'ERR_TEMPLATE' })
  })

  it('tells what the model can do', async () => {
    const { store, make } = workshop()
    const template = '{{ range .Messages }}<t>{{ .Thinking }}</t>{{ end }}{{ .Tools }}{{ .Suffix }}'
    await make(`FROM weights.gguf\nTEMPLATE ${template}`)
    expect((await store.show('m')).capabilities).toEqual(['completion', 'tools', 'insert', 'thinking'])
  })
})

describe('templates of known forms', () => {
  const messages = [
    { role: 'system', content: 'S' },
    { role: 'user', content: 'U' },
    { role: 'assistant', content: 'A' },
    { role: 'user', content: 'V' },
  ]

  it.each([
    [
      'llama3-instruct',
      '<|start_header_id|> <|eot_id|>',
      '<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nV<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
    ],
    [
      'chatml',
      '<|im_start|> <|im_end|>',
      '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n',
    ],
    [
      'gemma-instruct',
      '<start_of_turn> <end_of_turn>',
      '<start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n<start_of_turn>user\nV<end_of_turn>\n<start_of_turn>model\n',
    ],
    [
      'phi-3',
      '<|user|> <|assistant|> <|end|>',
      '<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\nA<|end|>\n<|user|>\nV<|end|>\n<|assistant|>\n',
    ],
    [
      'zephyr',
      '<|user|> <|assistant|> eos_token',
      '<|system|>\nS</s>\n<|user|>\nU</s>\n<|assistant|>\nA</s>\n<|user|>\nV</s>\n<|assistant|>\n',
    ],
  ])('%s makes the prompt of that form', async (name, marks, expected) => {
    const path = join(mkdtempSync(join(temporary.path, 'known-')), 'm.gguf')
    writeFileSync(path, randomModel('llama', { metadata: { 'tokenizer.chat_template': text(marks) } }))
    const known = knownTemplate(await readGguf(path))
    expect(known?.name).toBe(name)
    const parts = renderGoTemplate(parseGoTemplate(known?.template ?? ''), { messages })
    expect(parts.map((part) => part.text).join('')).toBe(expected)
  })
})
