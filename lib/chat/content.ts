import type { MediaSource } from './media/index.js'
import { invalidOption, unknownField } from './value.js'
import { wellFormed } from './well-formed.js'

/** Text within a message of several parts. */
export interface TextContent {
  readonly type: 'text'
  readonly text: string
}

/** A picture: the path or `file:` URL of a file, a `data:` URL, or the file's bytes (PNG, JPEG, GIF or BMP). */
export interface ImageContent {
  readonly type: 'image'
  readonly image: MediaSource
}

/** Sound: the path or `file:` URL of a file, a `data:` URL, or the file's bytes (WAV, MP3 or FLAC). */
export interface AudioContent {
  readonly type: 'audio'
  readonly audio: MediaSource
}

/** A piece of a message. */
export type ContentPart = TextContent | ImageContent | AudioContent

const maxParts = 1024

/** A message's content as it was given, checked. */
export function normalizeContent(content: unknown, name: string): string | readonly ContentPart[] {
  if (typeof content === 'string') return wellFormed(content)
  if (!Array.isArray(content)) throw invalidOption(name, 'a string or an array of parts', content)
  return normalizeParts(content, name)
}

/** Pieces of a message or prompt as they were given, checked. */
export function normalizeParts(content: readonly unknown[], name: string): readonly ContentPart[] {
  if (content.length > maxParts) throw invalidOption(name, `a string or an array of up to ${maxParts} parts`, content)
  return Array.from(content, (part, index) => normalizePart(part, `${name}[${index}]`))
}

function normalizePart(part: unknown, name: string): ContentPart {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) {
    throw invalidOption(name, 'an object with a type', part)
  }
  const { type, ...fields } = part as Record<string, unknown>
  if (type !== 'text' && type !== 'image' && type !== 'audio') {
    throw invalidOption(`${name}.type`, 'one of text, image, audio', type)
  }
  const unknown = Object.keys(fields).find((field) => field !== type && fields[field] !== undefined)
  if (unknown !== undefined) throw unknownField(name, unknown, ['type', type])
  const value = fields[type]
  if (type === 'text') {
    if (typeof value !== 'string') throw invalidOption(`${name}.text`, 'a string', value)
    return { type, text: wellFormed(value) }
  }
  if (typeof value !== 'string' && !(value instanceof URL) && !(value instanceof Uint8Array)) {
    throw invalidOption(`${name}.${type}`, 'a path, a file: or data: URL, or the bytes of a file', value)
  }
  return type === 'image' ? { type, image: value } : { type, audio: value }
}

/** The text of a content, without what is no text. */
export function contentText(content: string | readonly ContentPart[]): string {
  if (typeof content === 'string') return content
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('')
}

/** The content as JSON can hold it: bytes as a `data:` URL. */
export function storableContent(content: string | readonly ContentPart[]): string | readonly ContentPart[] {
  if (typeof content === 'string') return content
  return content.map((part) => {
    if (part.type === 'text') return part
    return part.type === 'image' ? { ...part, image: storable(part.image) } : { ...part, audio: storable(part.audio) }
  })
}

function storable(source: MediaSource): string {
  if (!(source instanceof Uint8Array)) return String(source)
  return `data:application/octet-stream;base64,${Buffer.from(source).toString('base64')}`
}
