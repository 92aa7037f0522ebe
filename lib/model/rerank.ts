import { invalidOption } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { NativeTextPart } from '../native-types.js'
import { embedderOf, type EmbedUsage, type TokenizeTexts } from './embed.js'
import { inputFullError, joinLists, readText, splitLists, type VocabularyEnds } from './embed-input.js'
import { mostInputs, rerankOptions, type RerankOptions } from './embed-options.js'
import { readOptions } from './option-rule.js'
import type { OpenedModel } from './open-model.js'

/** A document's place in the ranking. */
export interface RankedDocument {
  /** Its index in the list that was given. */
  readonly index: number
  /**
   * What the model's classifier says, as llama.cpp gives it: with most rerankers an unbounded number (its logistic
   * function is a probability), with Qwen3 rerankers a probability.
   */
  readonly score: number
}

/** What `rerank` gives. */
export interface RerankResult {
  /** The best first; equal ones in the order that they were given. */
  readonly results: readonly RankedDocument[]
  readonly usage: EmbedUsage
}

/** {@link Model.rerank} */
export async function rerank(
  opened: OpenedModel,
  tokenize: TokenizeTexts,
  query: unknown,
  documents: unknown,
  options: RerankOptions,
): Promise<RerankResult> {
  const { info } = opened
  const embedder = embedderOf(opened)
  if (!info.canRerank) throw cannotRerank(info.description)
  const { topN, truncate, signal } = readOptions(rerankOptions, options, info)
  if (typeof query !== 'string') throw invalidOption('query', 'a string', query)
  if (!Array.isArray(documents) || documents.length > mostInputs) {
    throw invalidOption('documents', `a list of up to ${mostInputs} strings`, documents)
  }
  const cleanQuery = readText(query, 'query', info.contextSize, false)
  const texts = Array.from(documents as readonly unknown[], (document, index) => {
    const name = `documents[${index}]`
    if (typeof document !== 'string') throw invalidOption(name, 'a string', document)
    return readText(document, name, info.contextSize, truncate)
  })
  if (texts.length === 0) return { results: [], usage: { inputTokens: 0, truncatedTokens: 0 } }

  return embedder.admitted(signal, async () => {
    const pairs = await pairTokens(opened, tokenize, cleanQuery, texts, truncate)
    const joined = joinLists(pairs.map(({ tokens }) => tokens))
    const request = { ...joined, pooling: 'rank', normalize: false, dimensions: 0 } as const
    const scores = await embedder.run(request, signal)
    const labels = scores.length / texts.length
    const results = texts
      .map((_, index) => ({ index, score: scores[index * labels] ?? 0 }))
      .sort((a, b) => b.score - a.score)
      .slice(0, topN)
    const truncatedTokens = pairs.reduce((sum, { cut }) => sum + cut, 0)
    return { results, usage: { inputTokens: joined.tokens.length, truncatedTokens } }
  })
}

interface Pair {
  readonly tokens: Int32Array
  /** Tokens that the document lost. */
  readonly cut: number
}

/** The tokens of the query with each document, as llama.cpp's server puts them together. */
async function pairTokens(
  opened: OpenedModel,
  tokenize: TokenizeTexts,
  query: string,
  documents: readonly string[],
  truncate: boolean,
): Promise<Pair[]> {
  const { contextSize, metadata } = opened.info
  const template = metadata['tokenizer.chat_template.rerank']
  const frames =
    template === undefined
      ? await plainFrames(opened.ends, tokenize, query, documents)
      : await templateFrames(template, tokenize, query, documents, contextSize)
  return frames.map(({ before, document, after }, index) => {
    const name = `documents[${index}]`
    const excess = before.length + document.length + after.length - contextSize
    if (excess > 0 && !truncate) throw inputFullError(name, `${excess} tokens too many beside the query`, contextSize)
    if (excess >= Math.max(1, document.length)) {
      throw inputFullError('query', `${before.length + after.length} tokens with what belongs around it`, contextSize)
    }
    const cut = Math.max(0, excess)
    const { tokens } = joinLists([before, document.subarray(0, document.length - cut), after])
    return { tokens, cut }
  })
}

/** What stands around a document. */
interface Frame {
  readonly before: Int32Array
  readonly document: Int32Array
  readonly after: Int32Array
}

/**
 * BOS query EOS SEP document EOS, each where the vocabulary asks for it. What ends a text ends the document too: a
 * WordPiece vocabulary asks for SEP alone, and models such as ms-marco-MiniLM were trained with one at the end.
 */
async function plainFrames(
  ends: VocabularyEnds,
  tokenize: TokenizeTexts,
  query: string,
  documents: readonly string[],
): Promise<Frame[]> {
  const around = (await tokenize([[{ text: '', trusted: false }]], true)).tokens
  const [queryTokens = new Int32Array(), ...lists] = await tokenizePlain(tokenize, [query, ...documents])
  const begin = around[0] === ends.bosToken ? 1 : 0
  const eos = ends.eosToken >= 0 ? ends.eosToken : ends.sepToken
  const between = [...(ends.addsEos ? [eos] : []), ...(ends.addsSep ? [ends.sepToken] : [])]
  const before = joinLists([around.subarray(0, begin), queryTokens, Int32Array.from(between)]).tokens
  return lists.map((document) => ({ before, document, after: around.subarray(begin) }))
}

/**
 * The model's own template, a text with `{query}` and `{document}` in it. Only the template's part may hold special
 * tokens: no document can forge one. Where both fit the whole is tokenized in one go, as llama.cpp does; a document that
 * must be cut is tokenized by itself.
 */
async function templateFrames(
  template: string,
  tokenize: TokenizeTexts,
  query: string,
  documents: readonly string[],
  contextSize: number,
): Promise<Frame[]> {
  const pieces = template.split(/(\{query\}|\{document\})/)
  const fill = (some: readonly string[], document: string): NativeTextPart[] =>
    some.map((piece) => {
      if (piece === '{query}') return { text: query, trusted: false }
      return piece === '{document}' ? { text: document, trusted: false } : { text: piece, trusted: true }
    })
  const none = new Int32Array()
  const place = pieces.indexOf('{document}')
  const front = fill(pieces.slice(0, place), '')
  const back = fill(pieces.slice(place + 1), '')
  const wholes = splitLists(
    await tokenize(
      documents.map((document) => fill(pieces, document)),
      false,
    ),
  )
  return Promise.all(
    wholes.map(async (whole, index) => {
      if (whole.length <= contextSize || place < 0) return { before: none, document: whole, after: none }
      const texts = [front, [{ text: documents[index] ?? '', trusted: false }], back]
      const [before = none, document = none, after = none] = splitLists(await tokenize(texts, false))
      return { before, document, after }
    }),
  )
}

async function tokenizePlain(tokenize: TokenizeTexts, texts: readonly string[]): Promise<Int32Array[]> {
  return splitLists(
    await tokenize(
      texts.map((text) => [{ text, trusted: false }]),
      false,
    ),
  )
}

function cannotRerank(description: string): LlameroError {
  return new LlameroError(
    'ERR_UNSUPPORTED',
    `The model (${description}) has no classifier that scores pairs, so it can't rerank. Use a reranker, ` +
      'or rank by the products of vectors that `embed` gives.',
  )
}
