import type { NativeTextPart } from '../native-types.js'
import { isMedium, promptOfRendered, type MediaPrompt, type RenderedPart } from './media-prompt.js'

/** A place in a transcript where an answer ends: what lies before it can be gone back to. */
export interface Mark {
  /** Messages of the conversation up to here. */
  readonly messages: number
  readonly characters: number
  readonly tokens: number
}

/**
 * A conversation as it was computed: its text and the tokens behind it, up to the end of the last answer. What a model
 * writes may be cut into other tokens when its text is tokenized anew, and then the cells of these would be missed. So
 * the tokens are kept, and only what the template adds behind them is tokenized.
 */
export interface Transcript {
  readonly text: string
  readonly tokens: Int32Array
  readonly marks: readonly Mark[]
  /** The images and sounds in it, in order. */
  readonly media: readonly TranscriptMedium[]
}

/** A medium of a transcript. One character of the text stands for it. */
export interface TranscriptMedium {
  /** Characters before it. */
  readonly characters: number
  /** Tokens before it, and its own. */
  readonly tokens: number
  readonly length: number
  readonly digest: string
}

/** A prompt whose beginning is that of a transcript; `marks` are those of the part that it shares. */
export interface Prompt extends Transcript {
  /** The media of its tokens, as the engine gets them. */
  readonly placed: MediaPrompt['media']
}

export interface Tokenizer {
  /** Tokens of a whole prompt, with what the vocabulary puts at its beginning. */
  readonly tokenizeChat: (parts: readonly NativeTextPart[]) => Promise<Int32Array>
  /** Tokens of a piece of it. */
  readonly tokenize: (parts: readonly NativeTextPart[]) => Promise<Int32Array>
  /** The bytes of a token; none for a special one. */
  readonly piece: (token: number) => Uint8Array
}

export const emptyTranscript: Transcript = { text: '', tokens: new Int32Array(), marks: [], media: [] }

/** The tokens of a rendered conversation: those of the transcript and of what is new, if it begins with that text. */
export async function continuePrompt(
  transcript: Transcript,
  parts: readonly RenderedPart[],
  tokenizer: Tokenizer,
): Promise<Prompt> {
  const text = parts.map((part) => part.text).join('')
  const media = mediaIn(parts)
  const end = transcript.text.length
  if (transcript.tokens.length > 0 && text.startsWith(transcript.text) && beginWith(media, transcript.media, end)) {
    const rest = partsAfter(parts, end)
    const added = await promptOfRendered(rest, (run) => tokenizer.tokenize(run))
    if ((rest[0] !== undefined && isMedium(rest[0])) || beginsAs(added.tokens, text.slice(end), tokenizer)) {
      const known = transcript.media.map(({ tokens, length }) => ({ tokens, length }))
      const behind = added.media.map(({ at, length }) => ({ tokens: at + transcript.tokens.length, length }))
      return placedPrompt(text, concatenate(transcript.tokens, added.tokens), transcript.marks, media, [
        ...known,
        ...behind,
      ])
    }
  }
  const { tokens, media: fresh } = await promptOfRendered(parts, (run, first) =>
    first ? tokenizer.tokenizeChat(run) : tokenizer.tokenize(run),
  )
  return placedPrompt(
    text,
    tokens,
    [],
    media,
    fresh.map(({ at, length }) => ({ tokens: at, length })),
  )
}

interface MediumInText {
  readonly characters: number
  readonly part: Extract<RenderedPart, { readonly medium: unknown }>
}

/** The media of rendered parts, and where in the text they are. */
function mediaIn(parts: readonly RenderedPart[]): MediumInText[] {
  const found: MediumInText[] = []
  let characters = 0
  for (const part of parts) {
    if (isMedium(part)) found.push({ characters, part })
    characters += part.text.length
  }
  return found
}

/** Whether the media before a place in the text are those of the transcript. */
function beginWith(media: readonly MediumInText[], known: readonly TranscriptMedium[], end: number): boolean {
  const before = media.filter(({ characters }) => characters < end)
  const same = ({ characters, part }: MediumInText, index: number): boolean =>
    known[index]?.characters === characters && known[index].digest === part.medium.digest
  return before.length === known.length && before.every(same)
}

function placedPrompt(
  text: string,
  tokens: Int32Array,
  marks: readonly Mark[],
  media: readonly MediumInText[],
  places: readonly { readonly tokens: number; readonly length: number }[],
): Prompt {
  const all = media.map(({ characters, part }, index) => {
    const { tokens: at = 0, length = 0 } = places[index] ?? {}
    return { characters, tokens: at, length, digest: part.medium.digest, native: part.medium.native }
  })
  return {
    text,
    tokens,
    marks,
    media: all.map(({ native: _native, ...medium }) => medium),
    placed: all.map(({ tokens: at, length, native }) => ({ at, length, medium: native })),
  }
}

/**
 * The transcript after an answer to `prompt`. The end token and what follows a stop string are no part of the answer's
 * text, so they are left away; where tokens and text part, such as in the middle of a token, the text goes on alone and
 * is tokenized with the next prompt.
 */
export function withAnswer(
  prompt: Prompt,
  answer: { readonly text: string; readonly tokens: Int32Array },
  messages: number,
  tokenizer: Tokenizer,
): Transcript {
  const { tokens, bytes } = tokensWithin(answer.tokens, Buffer.from(answer.text), tokenizer)
  const text = prompt.text + Buffer.from(answer.text).subarray(0, bytes).toString()
  const all = concatenate(prompt.tokens, tokens)
  const mark = { messages, characters: text.length, tokens: all.length }
  return { text, tokens: all, marks: [...prompt.marks, mark], media: prompt.media }
}

/** What is left when only the first `messages` of the conversation stay. */
export function rewound({ text, tokens, marks, media }: Transcript, messages: number): Transcript {
  const left = marks.filter((mark) => mark.messages <= messages)
  const last = left.at(-1)
  if (last === undefined) return emptyTranscript
  return {
    text: text.slice(0, last.characters),
    tokens: tokens.slice(0, last.tokens),
    marks: left,
    media: media.filter((medium) => medium.characters < last.characters),
  }
}

/** The first tokens of an answer whose bytes are the beginning of its text, and how many bytes that are. */
function tokensWithin(
  tokens: Int32Array,
  text: Buffer,
  tokenizer: Tokenizer,
): { readonly tokens: Int32Array; readonly bytes: number } {
  let bytes = 0
  let count = 0
  let boundary = 0
  for (const [index, token] of tokens.entries()) {
    const next = tokenizer.piece(token)
    const end = bytes + next.length
    if (end > text.length || !text.subarray(bytes, end).equals(next)) break
    bytes = end
    // A token without bytes at the end is the end token; a text that ends inside a character is none.
    if (next.length === 0 || isInsideCharacter(text, end)) continue
    count = index + 1
    boundary = end
  }
  return { tokens: tokens.subarray(0, count), bytes: boundary }
}

function isInsideCharacter(text: Buffer, at: number): boolean {
  return at < text.length && ((text[at] ?? 0) & 0xc0) === 0x80
}

/** Some vocabularies put a space before text that begins anew; in the middle of a conversation it would be one more. */
function beginsAs(tokens: Int32Array, text: string, tokenizer: Tokenizer): boolean {
  const [first] = tokens
  if (first === undefined) return text === ''
  const bytes = tokenizer.piece(first)
  return Buffer.from(text).subarray(0, bytes.length).equals(bytes)
}

function partsAfter(parts: readonly RenderedPart[], length: number): RenderedPart[] {
  const left: RenderedPart[] = []
  let at = 0
  for (const part of parts) {
    const text = part.text.slice(Math.max(0, length - at))
    at += part.text.length
    if (text !== '') left.push(text === part.text ? part : { text, trusted: part.trusted })
  }
  return left
}

/** How many tokens two lists begin with alike. */
export function commonPrefix(first: Int32Array, second: Int32Array): number {
  let length = 0
  while (length < first.length && first[length] === second[length]) length++
  return length
}

function concatenate(first: Int32Array, second: Int32Array): Int32Array {
  const all = new Int32Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
}
