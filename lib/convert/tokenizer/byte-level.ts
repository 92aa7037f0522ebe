import { unsupportedSource } from '../fault.js'
import { text, texts, type Entries } from '../metadata.js'
import { preTokenizerName } from './pre-tokenizer.js'
import { TokenTable, tokenTypes } from './token-table.js'
import { mergesOf, vocabularyOf, type TokenizerJson } from './tokenizer-json.js'
import type { Vocabulary } from './vocabulary.js'

/** Byte-level BPE, as GPT-2, Llama 3, Qwen and EXAONE have it. */
export function byteLevelVocabulary(tokenizer: TokenizerJson, size: number): Vocabulary {
  // llama.cpp composes no characters; texts that are composed already, which are nearly all, stay the same.
  for (const step of tokenizer.normalizer) {
    if (step.string('type') !== 'NFC') {
      throw unsupportedSource(`its tokenizer changes texts by ${step.string('type')} before it cuts them.`)
    }
  }
  const table = new TokenTable(size)
  for (const [token, id] of vocabularyOf(tokenizer)) table.put(id, token, tokenTypes.normal)
  for (const token of tokenizer.added) table.add(token)
  const entries: Entries = {
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.pre': text(preTokenizerName(tokenizer)),
    ...table.entries(),
    'tokenizer.ggml.merges': texts(mergesOf(tokenizer).map(([first, second]) => `${first} ${second}`)),
  }
  return { table, entries, addsBos: false }
}
