import { invalidSource, unsupportedSource } from '../fault.js'
import { Fields } from '../json.js'
import { limits } from '../limits.js'
import type { Entries } from '../metadata.js'
import type { SourceDirectory } from '../source-directory.js'
import { byteFallbackVocabulary } from './byte-fallback.js'
import { byteLevelVocabulary } from './byte-level.js'
import { chatTemplates } from './chat-template.js'
import { sentencePieceVocabulary } from './sentence-piece.js'
import { specialTokens } from './special-tokens.js'
import type { AddedToken, TokenTable } from './token-table.js'
import { readTokenizerJson, type TokenizerJson } from './tokenizer-json.js'
import { wordPieceVocabulary } from './word-piece.js'

/** A vocabulary as llama.cpp wants it. */
export interface Vocabulary {
  readonly table: TokenTable
  readonly entries: Entries
  /** Whether a first token is put before texts, unless a file says otherwise. */
  readonly addsBos: boolean
}

/** What {@link readVocabulary} found. */
export interface FoundVocabulary {
  readonly table: TokenTable
  /** All keys that begin with `tokenizer.`. */
  readonly entries: Entries
}

/**
 * The keys of a folder's tokenizer: texts, kinds and scores or merges, special tokens, chat templates.
 *
 * @param size rows of the embedding
 * @param config config.json
 */
export async function readVocabulary(
  directory: SourceDirectory,
  size: number,
  config: Fields,
): Promise<FoundVocabulary> {
  const document = await directory.json('tokenizer.json')
  const tokenizer = document === undefined ? undefined : readTokenizerJson(document)
  const tokenizerConfig = (await directory.json('tokenizer_config.json')) ?? new Fields({}, "'tokenizer_config.json'")
  const generationConfig = await directory.json('generation_config.json')
  const vocabulary = await chooseVocabulary(directory, size, config, tokenizer, tokenizerConfig)
  const declared = generationConfig === undefined ? config : config.over(generationConfig)
  const entries = {
    ...vocabulary.entries,
    ...specialTokens(vocabulary, tokenizer, tokenizerConfig, declared),
    ...(await chatTemplates(directory, tokenizerConfig)),
  }
  return { table: vocabulary.table, entries }
}

async function chooseVocabulary(
  directory: SourceDirectory,
  size: number,
  config: Fields,
  tokenizer: TokenizerJson | undefined,
  tokenizerConfig: Fields,
): Promise<Vocabulary> {
  // Some models of byte-level BPE carry a `tokenizer.model` in a format of their own.
  if (tokenizer?.type === 'WordPiece') return wordPieceVocabulary(tokenizer, size, config)
  if (tokenizer?.type === 'BPE' && !tokenizer.byteFallback) return byteLevelVocabulary(tokenizer, size)
  const sentencePiece = await directory.read('tokenizer.model', limits.textBytes)
  if (sentencePiece !== undefined) {
    const added = await addedTokens(directory, tokenizer, tokenizerConfig)
    return sentencePieceVocabulary(sentencePiece, size, added, tokenizerConfig)
  }
  if (tokenizer?.type === 'BPE') return byteFallbackVocabulary(tokenizer, size)
  if (tokenizer !== undefined) {
    throw unsupportedSource(
      `its tokenizer is of the type ${tokenizer.type}; BPE, WordPiece and SentencePiece are converted.`,
    )
  }
  throw invalidSource("the folder has neither 'tokenizer.json' nor 'tokenizer.model'; fetch the whole model.")
}

/** What stands beside a SentencePiece model; later files know better. */
async function addedTokens(
  directory: SourceDirectory,
  tokenizer: TokenizerJson | undefined,
  tokenizerConfig: Fields,
): Promise<AddedToken[]> {
  const plain = (await directory.json('added_tokens.json'))?.entries() ?? []
  const decoder = tokenizerConfig.object('added_tokens_decoder')?.entries() ?? []
  return [
    ...plain.map(([text, id]) => ({ text, id: Number(id), special: false })),
    ...decoder.map(([id, value]) => {
      const fields = new Fields(value, 'an added token')
      const text = fields.required('content', fields.string('content'))
      return { text, id: Number(id), special: fields.boolean('special') ?? false }
    }),
    ...(tokenizer?.added ?? []),
  ]
}
