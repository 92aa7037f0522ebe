import { invalidOption } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { NativeTextPart, NativeTokenLists } from '../native-types.js'
import {
  fitTokens,
  joinLists,
  nonEmpty,
  readInputs,
  readText,
  splitLists,
  type EmbedInput,
  type NamedInput,
  type VocabularyEnds,
} from './embed-input.js'
import { embedOptions, type EmbedOptions } from './embed-options.js'
import type { Embedder } from './embedder.js'
import { readOptions } from './option-rule.js'
import type { OpenedModel } from './open-model.js'

/** What `embed` gives. */
export interface EmbedResult {
  /**
   * A vector for each input, in their order; a lone input gives one too. With pooling `none` an array holds the vectors of
   * all tokens, one after the other.
   */
  readonly embeddings: readonly Float32Array[]
  readonly usage: EmbedUsage
}

/** What a call of `embed` or `rerank` has cost. */
export interface EmbedUsage {
  /** Tokens computed, those that the vocabulary puts around a text included. */
  readonly inputTokens: number
  /** Tokens that were cut because an input was too long. Text beyond 32 bytes per token of the context is not counted. */
  readonly truncatedTokens: number
}

/** Counters of a model's embedder since the model was opened. */
export interface EmbeddingMetrics {
  /** Decodes of llama.cpp; short inputs share one. */
  readonly steps: number
  /** Inputs embedded or ranked. */
  readonly inputs: number
  readonly tokens: number
  /** Calls that run or wait. */
  readonly waiting: number
  /** Time in steps, summed, in ms. */
  readonly computeMs: number
}

/** Cuts texts into tokens, all in one native job. */
export type TokenizeTexts = (
  texts: readonly (readonly NativeTextPart[])[],
  addSpecial: boolean,
) => Promise<NativeTokenLists>

export function embedderOf({ embedder, info }: OpenedModel): Embedder {
  if (embedder !== undefined) return embedder
  throw new LlameroError('ERR_UNSUPPORTED', `A model of the architecture "${info.architecture}" gives no embeddings.`, {
    details: { architecture: info.architecture },
  })
}

/** {@link Model.embed} */
export async function embed(
  opened: OpenedModel,
  tokenize: TokenizeTexts,
  given: EmbedInput | readonly EmbedInput[],
  options: EmbedOptions,
): Promise<EmbedResult> {
  const { info } = opened
  const embedder = embedderOf(opened)
  const values = readOptions(embedOptions, options, info)
  const { dimensions, truncate, normalize, signal } = values
  const pooling = values.pooling ?? info.pooling ?? 'mean'
  if (dimensions !== undefined && dimensions > info.embeddingSize) {
    throw invalidOption('dimensions', `a whole number from 1 to ${info.embeddingSize}`, dimensions)
  }
  if (pooling === 'rank' && !info.canRerank) {
    throw new LlameroError('ERR_UNSUPPORTED', 'This model has no classifier to rank with; choose another pooling.')
  }
  const inputs = readInputs(given, info.vocabularySize).map(({ name, value }) => ({
    name,
    value: typeof value === 'string' ? readText(value, name, info.contextSize, truncate) : value,
  }))
  if (inputs.length === 0) return { embeddings: [], usage: { inputTokens: 0, truncatedTokens: 0 } }

  return embedder.admitted(signal, async () => {
    const whole = await tokensOf(inputs, tokenize, opened.ends)
    const lists = whole.map(({ name, value }) => fitTokens(value, name, info.contextSize, truncate, opened.ends))
    const joined = joinLists(lists)
    const request = { ...joined, pooling, normalize, dimensions: dimensions ?? 0 }
    const vectors = await embedder.run(request, signal)
    const inputTokens = joined.tokens.length
    const truncatedTokens = whole.reduce((sum, { value }) => sum + value.length, 0) - inputTokens
    return {
      embeddings: splitVectors(vectors, joined.lengths, pooling === 'none'),
      usage: { inputTokens, truncatedTokens },
    }
  })
}

/** Texts become tokens, all in one job; token ids stay as they are. */
async function tokensOf(
  inputs: readonly NamedInput[],
  tokenize: TokenizeTexts,
  ends: VocabularyEnds,
): Promise<{ readonly name: string; readonly value: Int32Array }[]> {
  const texts = inputs.flatMap(({ value }) => (typeof value === 'string' ? [[{ text: value, trusted: false }]] : []))
  const tokenized = texts.length === 0 ? [] : splitLists(await tokenize(texts, true))
  let texted = 0
  return inputs.map(({ name, value }) => ({
    name,
    value: typeof value === 'string' ? nonEmpty(tokenized[texted++], name, ends) : value,
  }))
}

/** Copies, so that one vector that is kept does not hold the others. */
function splitVectors(vectors: Float32Array, lengths: Int32Array, perToken: boolean): Float32Array[] {
  const rows = perToken ? lengths.reduce((sum, length) => sum + length, 0) : lengths.length
  const width = vectors.length / rows
  let begin = 0
  return Array.from(lengths, (length) => vectors.slice(begin, (begin += width * (perToken ? length : 1))))
}
