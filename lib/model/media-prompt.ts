import type { NativePlacedMedium, NativeTextPart } from '../native-types.js'
import { contextFullError } from './context-full.js'
import type { EncodedMedium, MediaOfRequest } from './media-encoder.js'
import type { ModelInfo } from './model-info.js'
import { keptTokens, promptRoom, shortening, type OverflowValues, type Shortening } from './overflow.js'
import { checkText } from './prompt.js'
import type { PromptPart } from './prompt-part.js'

/** The tokens of a prompt with the pictures and sounds that stand in them. */
export interface MediaPrompt {
  readonly tokens: Int32Array
  /** In the order of the tokens. */
  readonly media: readonly (NativePlacedMedium & { readonly length: number })[]
}

/** A medium among the runs of text that a template has written. */
export interface MediumPart extends NativeTextPart {
  /** {@link mediumText}: what stands for it where texts are compared. */
  readonly text: string
  readonly medium: EncodedMedium
}

/** U+FFFC, "object replacement character". It is no mark: a text that holds it is still a text. */
export const mediumText = '\uFFFC'

/** What a rendered conversation is made of. */
export type RenderedPart = NativeTextPart | MediumPart

export function isMedium(part: RenderedPart): part is MediumPart {
  return 'medium' in part
}

/** The prompt that rendered parts make: runs of text go to `tokenize`, the first of them as the beginning. */
export async function promptOfRendered(
  parts: readonly RenderedPart[],
  tokenize: (run: readonly NativeTextPart[], first: boolean) => Promise<Int32Array>,
): Promise<MediaPrompt> {
  const pieces: PromptPiece[] = []
  let run: NativeTextPart[] = []
  const endRun = async (): Promise<void> => {
    if (run.length > 0 || pieces.length === 0) pieces.push(await tokenize(run, pieces.length === 0))
    run = []
  }
  for (const part of parts) {
    if (!isMedium(part)) {
      run.push(part)
      continue
    }
    await endRun()
    pieces.push(part.medium)
  }
  await endRun()
  return joinPieces(pieces)
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

/** A prompt of text alone is one without media. */
export function asMediaPrompt(prompt: Int32Array | MediaPrompt): MediaPrompt {
  return prompt instanceof Int32Array ? { tokens: prompt, media: [] } : prompt
}

/** What {@link promptOfParts} needs of a model. */
export interface PartsSetting {
  readonly media: MediaOfRequest
  readonly info: Pick<ModelInfo, 'contextSize' | 'bosToken'>
  /** The first run of a prompt begins with what the vocabulary wants at its beginning. */
  readonly tokenize: (part: NativeTextPart, first: boolean) => Promise<Int32Array>
}

/**
 * The prompt that parts make. Each text is tokenized for itself, as in llama.cpp, and media are encoded one after the
 * other. Rejects with `ERR_CONTEXT_FULL` before it encodes what can't fit any more; what does not fit by less goes as the
 * policy says.
 */
export async function promptOfParts(
  parts: readonly PromptPart[],
  values: OverflowValues & { readonly signal: AbortSignal | undefined },
  { media, info: { contextSize, bosToken }, tokenize }: PartsSetting,
): Promise<MediaPrompt> {
  const { signal } = values
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
      add(await tokenize({ text, trusted: true }, pieces.length === 0))
      continue
    }
    if (pieces.length === 0) add(await tokenize({ text: '', trusted: true }, true))
    if (length >= contextSize) {
      throw contextFullError(`${length} tokens before the last ${part.type}`, contextSize, { promptTokens: length })
    }
    add(await media.encode(part.type, part.type === 'image' ? part.image : part.audio, signal))
  }
  return fitMediaPrompt(joinPieces(pieces), values, contextSize, bosToken)
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
function fitMediaPrompt(
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
