import { invalidSource, unsupportedSource } from '../fault.js'
import type { Fields } from '../json.js'
import { limits } from '../limits.js'
import { bool, f32s, text, type Entries } from '../metadata.js'
import { spaceMark } from './byte-fallback.js'
import { readMessage, type Message } from './protocol-buffer.js'
import { TokenTable, tokenTypes, type AddedToken } from './token-table.js'
import type { Vocabulary } from './vocabulary.js'

/** Numbers of the fields in SentencePiece's `sentencepiece_model.proto`. */
const fields = { pieces: 1, trainer: 2, normalizer: 3 } as const
const piece = { text: 1, score: 2, type: 3 } as const
const trainer = { modelType: 3, suffixSpaces: 24 } as const
const normalizer = { charsmap: 2, dummyPrefix: 3 } as const
const bytePairs = 2

/** Of a token that stands beside the trained ones. */
const addedScore = -1000

/** A `tokenizer.model` of SentencePiece, with what stands beside it in other files. */
export function sentencePieceVocabulary(
  bytes: Buffer,
  size: number,
  added: readonly AddedToken[],
  tokenizerConfig: Fields,
): Vocabulary {
  const model = readMessage(bytes)
  const [training = emptyMessage] = model.messages(fields.trainer)
  const [normalizing = emptyMessage] = model.messages(fields.normalizer)
  if ((training.number(trainer.modelType) ?? 1) !== bytePairs || training.number(trainer.suffixSpaces) === 1) {
    throw unsupportedSource('its SentencePiece model does not merge pairs; of those, only BPE is converted.')
  }
  if ((normalizing.bytes(normalizer.charsmap)?.length ?? 0) > 0) {
    throw unsupportedSource(
      'its SentencePiece model rewrites characters before it cuts texts, which llama.cpp does not.',
    )
  }
  const pieces = model.messages(fields.pieces)
  if (pieces.length === 0 || pieces.length > limits.tokens) {
    throw invalidSource(`its SentencePiece model has ${pieces.length} pieces.`)
  }
  const table = new TokenTable(size)
  const scores = new Float32Array(size).fill(-10 * -addedScore)
  for (const [id, message] of pieces.entries()) {
    const token = message.bytes(piece.text)?.toString('utf8') ?? ''
    const type = message.number(piece.type) ?? tokenTypes.normal
    // A text of its own that is found before anything is merged, as it stands in texts.
    table.put(id, type === tokenTypes.userDefined ? token.replaceAll(spaceMark, ' ') : token, type)
    scores[id] = message.float(piece.score) ?? 0
  }
  for (const token of added) {
    if (table.typeOf(token.id) === tokenTypes.unknown) continue
    table.add(token, spaceMark)
    if (token.id < size) scores[token.id] = addedScore
  }
  const entries: Entries = {
    'tokenizer.ggml.model': text('llama'),
    'tokenizer.ggml.pre': text('default'),
    ...table.entries(),
    'tokenizer.ggml.scores': f32s(scores),
    'tokenizer.ggml.add_space_prefix': bool(
      tokenizerConfig.boolean('add_prefix_space') ?? normalizing.number(normalizer.dummyPrefix) !== 0,
    ),
  }
  return { table, entries, addsBos: true }
}

const emptyMessage: Message = readMessage(Buffer.alloc(0))
