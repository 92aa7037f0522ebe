import { invalidOption, wellFormed } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { NativeModelInfo, NativeTokenLists } from '../native-types.js'
import { mostInputs } from './embed-options.js'
import { checkTokens, longRun, mostTextBytes } from './prompt.js'

/** One text to embed, or its token ids, which are taken as they are. */
export type EmbedInput = string | Int32Array | readonly number[]

/** What a vocabulary puts around a text; ids of -1 where it has no such token. */
export type VocabularyEnds = Pick<
  NativeModelInfo,
  'bosToken' | 'eosToken' | 'sepToken' | 'addsBos' | 'addsEos' | 'addsSep'
>

/** An input by the name that errors call it. */
export interface NamedInput {
  readonly name: string
  readonly value: string | Int32Array
}

/** The inputs of a call; a lone one counts as a list of one. */
export function readInputs(given: unknown, vocabularySize: number): NamedInput[] {
  const isList = Array.isArray(given) && typeof given[0] !== 'number'
  const inputs: readonly unknown[] = isList ? given : [given]
  if (inputs.length > mostInputs) throw invalidOption('input', `at most ${mostInputs} inputs`, given)
  return Array.from(inputs, (input, index) => {
    const name = isList ? `input[${index}]` : 'input'
    if (typeof input === 'string') return { name, value: input }
    if (!(input instanceof Int32Array) && !Array.isArray(input)) {
      throw invalidOption(name, 'a string or token ids', input)
    }
    if (input.length === 0) throw invalidOption(name, 'at least one token', input)
    return { name, value: checkTokens(input, name, vocabularySize) }
  })
}

/**
 * A well-formed text of a size that the tokenizer may get. What is longer than could ever fit is cut, or is
 * `ERR_CONTEXT_FULL` where nothing may be cut.
 */
export function readText(text: string, name: string, contextSize: number, truncate: boolean): string {
  const clean = wellFormed(text)
  const bytes = Buffer.byteLength(clean)
  const most = mostTextBytes(contextSize)
  if (bytes > most) {
    if (!truncate) throw inputFullError(name, `${bytes} bytes`, contextSize)
    return readText(firstBytes(clean, most), name, contextSize, truncate)
  }
  const run = longRun(clean)
  if (run === undefined) return clean
  if (!truncate) throw inputFullError(name, `a run of ${run.length} equal characters`, contextSize)
  return clean.slice(0, run.allowedEnd)
}

/** So many bytes of UTF-8 at most, without a character that would be cut in its middle. */
function firstBytes(text: string, most: number): string {
  const bytes = Buffer.from(text)
  let end = most
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.subarray(0, end).toString()
}

export function inputFullError(name: string, size: string, contextSize: number, details: object = {}): LlameroError {
  return new LlameroError(
    'ERR_CONTEXT_FULL',
    `"${name}" has ${size}, but the model reads ${contextSize} tokens at most here; shorten it, or leave truncate on.`,
    { details: { option: name, ...details, contextSize } },
  )
}

/** Tokens cut to the context; a token that ends the text stays the last one. */
export function fitTokens(
  tokens: Int32Array,
  name: string,
  contextSize: number,
  truncate: boolean,
  ends: VocabularyEnds,
): Int32Array {
  if (tokens.length <= contextSize) return tokens
  if (!truncate) {
    throw inputFullError(name, `${tokens.length} tokens`, contextSize, { inputTokens: tokens.length })
  }
  const cut = tokens.slice(0, contextSize)
  const last = tokens.at(-1)
  if (last !== undefined && (last === ends.eosToken || last === ends.sepToken)) cut[contextSize - 1] = last
  return cut
}

/** An empty text where the vocabulary puts nothing around it: the token that begins or ends texts stands for it. */
export function nonEmpty(tokens: Int32Array | undefined, name: string, ends: VocabularyEnds): Int32Array {
  if (tokens !== undefined && tokens.length > 0) return tokens
  const token = [ends.bosToken, ends.eosToken, ends.sepToken].find((id) => id >= 0)
  if (token === undefined) throw invalidOption(name, 'a text with at least one token', '')
  return Int32Array.of(token)
}

export function splitLists({ tokens, lengths }: NativeTokenLists): Int32Array[] {
  let begin = 0
  return Array.from(lengths, (length) => tokens.subarray(begin, (begin += length)))
}

export function joinLists(lists: readonly Int32Array[]): NativeTokenLists {
  const lengths = Int32Array.from(lists, (list) => list.length)
  const tokens = new Int32Array(lengths.reduce((sum, length) => sum + length, 0))
  let begin = 0
  for (const list of lists) {
    tokens.set(list, begin)
    begin += list.length
  }
  return { tokens, lengths }
}
