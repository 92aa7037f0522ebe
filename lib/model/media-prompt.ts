import type { NativePlacedMedium, NativeTextPart } from '../native-types.js'
import { contextFullError } from './context-full.js'
import type { EncodedMedium, MediaOfRequest } from './media-encoder.js'
import { keptTokens, promptRoom, shortening, type OverflowValues, type Shortening } from './overflow.js'
import { checkText } from './prompt.js'
import type { PromptPart } from './prompt-part.js'

/** The tokens of a prompt with the pictures and sounds that stand in them. */
export interface MediaPrompt {
  readonly tokens: Int32Array
  /** In the order of the tokens. */
  readonly media: readonly (NativePlacedMedium & { readonly length: number })[]
}

/** What the pieces of a prompt become: tokens of a run of text, or a medium. */
export type PromptPiece = Int32Array | EncodedMedium

/** The prompt that pieces make together. */
export function joinPieces(pieces: readonly PromptPiece[]): MediaPrompt {
  const lengths = pieces.map((piece) => (piece instanceof Int32Array ? piece : piece.tokens).length)
  const tokens = new Int32Array(lengths.reduce((sum, length) => sum + length, 0))
  const media: MediaPrompt['media'][number][] = []
  let at = 0
  for (const piece of pieces) {
    const added = piece instanceof Int32Array ? piece : piece.tokens
    tokens.set(added, at)
    if (!(piece instanceof Int32Array)) media.push({ at, medium: piece.native, length: added.length })
    at += added.length
  }
  return { tokens, media }
}

/** What {@link promptOfParts} needs of a model. */
export interface PartsSetting {
  readonly media: MediaOfRequest
  readonly contextSize: number
  readonly signal: AbortSignal | undefined
  /** The first run of a prompt begins with what the vocabulary wants at its beginning. */
  tokenize(part: NativeTextPart, first: boolean): Promise<Int32Array>
}

/**
 * The prompt that parts make. Each text is tokenized for itself, as in llama.cpp, and media are encoded one after the
 * other. Rejects with `ERR_CONTEXT_FULL` before it encodes what can't fit any more.
 */
export async function promptOfParts(parts: readonly PromptPart[], setting: PartsSetting): Promise<MediaPrompt> {
  const { media, contextSize, signal } = setting
  const pieces: PromptPiece[] = []
  let length = 0
  const add = (piece: PromptPiece): void => {
    pieces.push(piece)
    length += (piece instanceof Int32Array ? piece : piece.tokens).length
  }
  for (const part of joinTexts(parts)) {
    signal?.throwIfAborted()
    if (part.type === 'text') {
      const text = checkText(part.text, 'prompt', contextSize)
      add(await setting.tokenize({ text, trusted: true }, pieces.length === 0))
      continue
    }
    if (pieces.length === 0) add(await setting.tokenize({ text: '', trusted: true }, true))
    if (length >= contextSize) {
      throw contextFullError(`${length} tokens before the last ${part.type}`, contextSize, { promptTokens: length })
    }
    add(await media.encode(part.type, part.type === 'image' ? part.image : part.audio, signal))
  }
  return joinPieces(pieces)
}

/** Texts that follow each other are one. */
function joinTexts(parts: readonly PromptPart[]): PromptPart[] {
  const joined: PromptPart[] = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (part.type === 'text' && last?.type === 'text') joined.splice(-1, 1, { ...last, text: last.text + part.text })
    else joined.push(part)
  }
  return joined
}

/** A raw prompt as the policy lets it pass, like `fitPrompt`: media go or stay as a whole. */
export function fitMediaPrompt(
  prompt: MediaPrompt,
  values: OverflowValues,
  contextSize: number,
  bosToken: number | undefined,
): MediaPrompt {
  const { tokens } = prompt
  if (values.overflow === 'error' || values.keep < 0 || tokens.length <= promptRoom(values, contextSize)) return prompt
  return shortenPrompt(prompt, shortening(tokens.length, contextSize, keptTokens(tokens, values.keep, bosToken)))
}

/** The prompt without the tokens of a shortening, and without the media that it would cut. */
export function shortenPrompt({ tokens, media }: MediaPrompt, { keep, drop }: Shortening): MediaPrompt {
  const cut = (at: number) => media.find((medium) => medium.at < at && at < medium.at + medium.length)
  const first = cut(keep)
  const last = cut(keep + drop)
  const from = first?.at ?? keep
  const end = last === undefined ? keep + drop : last.at + last.length
  const left = new Int32Array(tokens.length - (end - from))
  left.set(tokens.subarray(0, from))
  left.set(tokens.subarray(end), from)
  const stay = media.filter(({ at }) => at < from || at >= end)
  return { tokens: left, media: stay.map((one) => ({ ...one, at: one.at < from ? one.at : one.at - (end - from) })) }
}
