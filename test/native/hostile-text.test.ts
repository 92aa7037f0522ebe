import { describe, expect, it } from 'vitest'
import { runChild } from './child.js'
import { vocabularyPath } from './vocabulary-file.js'

const mebibyte = 2 ** 20
const characters = ['a', '1', '!', ' ', '\n', '中', '🙂', 'e\u0301', '\u200d']

const families: readonly [kind: string, name: string, bytes: number][] = [
  ['std::regex, which recurses', 'falcon', mebibyte],
  ['std::regex, which recurses', 'deepseek-llm', mebibyte],
  ['std::regex, which recurses', 'gpt-neox', mebibyte / 2],
  ['hand-written splitter', 'qwen2', mebibyte / 2],
  ['hand-written splitter', 'llama-bpe', mebibyte / 2],
  ['SentencePiece', 'llama-spm', mebibyte],
  ['WordPiece', 'bert-bge', mebibyte],
  ['unigram', 'nomic-bert-moe', mebibyte],
]

describe.each(families)('a long run of one character, %s: %s', (_kind, name, bytes) => {
  it('is tokenized without a crash', { timeout: 300_000 }, async () => {
    const pairs = characters.flatMap((character) => [character, String(bytes)])
    const { code, signal, stdout, stderr } = await runChild(
      'tokenize-child.ts',
      [vocabularyPath(name), ...pairs],
      290_000,
    )
    expect({ code, signal, stderr }).toMatchObject({ code: 0, signal: null })
    const results = JSON.parse(stdout) as { character: string; tokens: number; ms: number }[]
    expect(results.map(({ character }) => character)).toEqual(characters)
    for (const { character, tokens, ms } of results) {
      expect(tokens).toBeLessThanOrEqual(bytes + 1)
      expect(ms, `${JSON.stringify(character)} took too long`).toBeLessThan(60_000)
    }
  })
})
