import { describe, expect, it } from 'vitest'
import { runChild } from './child.js'
import { vocabularyPath } from './vocabulary-file.js'

const mebibyte = 2 ** 20
const characters = ['a', '1', '!', ' ', '\n', '中', '🙂', 'e\u0301', '\u200d']

/**
 * Characters that SentencePiece spells in bytes take quadratic time at the pinned version, by a `reserve` of the exact
 * size for each of them in `llm_tokenizer_spm_session::resegment`.
 */
const spelt = new Set(['\n', '🙂'])

const families: readonly [kind: string, name: string, bytes: (character: string) => number][] = [
  ['std::regex, which recurses', 'falcon', () => mebibyte],
  ['std::regex, which recurses', 'deepseek-llm', () => mebibyte],
  ['std::regex, which recurses', 'gpt-neox', () => mebibyte / 2],
  ['hand-written splitter', 'qwen2', () => mebibyte / 2],
  ['hand-written splitter', 'llama-bpe', () => mebibyte / 2],
  ['SentencePiece', 'llama-spm', (character) => (spelt.has(character) ? mebibyte : mebibyte)],
  ['WordPiece', 'bert-bge', () => mebibyte],
  ['unigram', 'nomic-bert-moe', () => mebibyte],
]

describe.each(families)('a long run of one character, %s: %s', (_kind, name, bytes) => {
  it('is tokenized without a crash', { timeout: 300_000 }, async () => {
    const pairs = characters.flatMap((character) => [character, String(bytes(character))])
    const { code, signal, stdout, stderr } = await runChild(
      'tokenize-child.ts',
      [vocabularyPath(name), ...pairs],
      290_000,
    )
    expect({ code, signal, stderr }).toMatchObject({ code: 0, signal: null })
    const results = JSON.parse(stdout) as { character: string; tokens: number; ms: number }[]
    expect(results.map(({ character }) => character)).toEqual(characters)
    for (const { character, tokens, ms } of results) {
      expect(tokens).toBeLessThanOrEqual(bytes(character) + 1)
      expect(ms, `${JSON.stringify(character)} took too long`).toBeLessThan(60_000)
    }
  })
})
