import { unsupportedSource } from '../fault.js'
import type { Fields } from '../json.js'
import { bool, text, u32, type Entries } from '../metadata.js'
import { TokenTable, tokenTypes } from './token-table.js'
import { vocabularyOf, type TokenizerJson } from './tokenizer-json.js'
import type { Vocabulary } from './vocabulary.js'

/** WordPiece, as BERT has it. llama.cpp marks the beginning of a word where Hugging Face marks what continues one. */
export function wordPieceVocabulary(tokenizer: TokenizerJson, size: number, config: Fields): Vocabulary {
  const prefix = tokenizer.model.string('continuing_subword_prefix') ?? '##'
  const [normalizer, ...others] = tokenizer.normalizer
  const [cutter, ...otherCutters] = tokenizer.preTokenizer
  if (
    normalizer?.string('type') !== 'BertNormalizer' ||
    cutter?.string('type') !== 'BertPreTokenizer' ||
    others.length + otherCutters.length > 0
  ) {
    throw unsupportedSource("its WordPiece tokenizer cuts texts in another way than BERT's.")
  }
  const table = new TokenTable(size)
  for (const [token, id] of vocabularyOf(tokenizer)) table.put(id, token, tokenTypes.normal)
  for (const token of tokenizer.added) table.add(token)
  const lowercase = normalizer.boolean('lowercase') ?? true
  const entries: Entries = {
    'tokenizer.ggml.model': text('bert'),
    'tokenizer.ggml.pre': text('default'),
    ...table.entries((token, type) => {
      if (type === tokenTypes.control) return token
      return token.startsWith(prefix) ? token.slice(prefix.length) : `▁${token}`
    }),
    'tokenizer.ggml.token_type_count': u32(config.integer('type_vocab_size', 1) ?? 2),
    'tokenizer.ggml.normalizer.lowercase': bool(lowercase),
    'tokenizer.ggml.normalizer.strip_accents': bool(normalizer.boolean('strip_accents') ?? lowercase),
  }
  return { table, entries, addsBos: true }
}
