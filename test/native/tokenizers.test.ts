import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { NativeModel } from '../../lib/native.js'
import { loadRawModel } from './raw-engine.js'
import { detokenize, tokenize, vocabularyCases, vocabularyPath } from './vocabulary-file.js'

/** How upstream's detokenizer brings a text back, by vocabulary. */
const wayBack: Readonly<Record<string, (text: string) => string>> = {
  'command-r': exactly,
  'deepseek-coder': exactly,
  'deepseek-llm': exactly,
  'llama-spm': exactly,
  'phi-3': exactly,
  qwen2: exactly,
  qwen35: exactly,
  falcon: cleanedUp,
  'gemma-4': cleanedUp,
  'gpt-2': cleanedUp,
  'llama-bpe': cleanedUp,
  mpt: cleanedUp,
  refact: cleanedUp,
  starcoder: cleanedUp,
}

function exactly(text: string): string {
  return text
}

/** These vocabularies ask for `clean_up_tokenization_spaces`: English punctuation loses the space before it. */
function cleanedUp(text: string): string {
  return text
    .replaceAll(/ (?=[?!.,])/g, '')
    .replaceAll(/ ' /g, "'")
    .replaceAll(/ (?='(?:s|m|re|ve))/g, '')
}

/** WordPiece keeps neither case nor accents nor blanks; words that it does not know become [UNK]. */
function squeezed(text: string): string {
  return text
    .toLowerCase()
    .normalize('NFD')
    .replaceAll(/[\p{Mn}\s]/gu, '')
}

describe.each([...Object.keys(wayBack), 'bert-bge'])('the tokenizer of %s', (name) => {
  const cases = vocabularyCases(name)
  let model: NativeModel
  beforeAll(async () => {
    model = await loadRawModel(vocabularyPath(name), true)
  })
  afterAll(() => nativeAddon().modelClose(model))

  it("gives upstream's tokens for upstream's inputs", async () => {
    expect(cases.length).toBeGreaterThanOrEqual(46)
    for (const { input, tokens } of cases) expect(await tokenize(model, input), JSON.stringify(input)).toEqual(tokens)
  })

  it('gives the same tokens for a text in parts', async () => {
    for (const { input, tokens } of cases) {
      const middle = Math.floor(input.length / 2)
      const cut = input.charCodeAt(middle - 1) >= 0xd800 ? middle + 1 : middle
      expect(await tokenize(model, input.slice(0, cut), '', input.slice(cut)), JSON.stringify(input)).toEqual(tokens)
    }
  })

  it("brings the text back as upstream's detokenizer does", async () => {
    const expected = wayBack[name]
    let compared = 0
    for (const { input, tokens } of cases) {
      const text = await detokenize(model, tokens)
      if (text.includes('[UNK]')) continue
      if (expected) expect(text).toBe(expected(input))
      else expect(squeezed(text)).toBe(squeezed(input))
      compared++
    }
    expect(compared).toBeGreaterThanOrEqual(expected ? cases.length : 40)
  })
})
