import { createHash } from 'node:crypto'
import { storableContent, normalizeMessages, type Message } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { NativeSnapshot } from '../native-types.js'
import type { Fingerprint } from './session-fingerprint.js'
import type { Mark, Transcript, TranscriptMedium } from './transcript.js'

/**
 * A saved session. Little-endian:
 *
 * | bytes | what |
 * |---|---|
 * | 8 | `llamero` and a zero |
 * | 4 | version of the format, 2 |
 * | 4 | bytes of the header |
 * | 8 | tokens |
 * | 8 | bytes of the state |
 * | | header: JSON |
 * | | tokens, 4 bytes each: those of the transcript, of the whole conversation, of the state |
 * | | llama.cpp's state |
 * | 32 | SHA-256 of all before |
 */
export interface SavedSession {
  readonly fingerprint: Fingerprint
  readonly messages: readonly Message[]
  readonly transcript: Transcript
  /** Turns that no longer fit into the context. */
  readonly leftOut: number
  /** All tokens of the conversation so far. */
  readonly tokens: Int32Array
  /** Absent if nothing was computed yet. */
  readonly snapshot: NativeSnapshot | undefined
}

/** Where a saved session is read from. */
export interface ByteSource {
  readonly size: number
  /** Fills `target` with the bytes from `position` on. */
  read(target: Uint8Array, position: number): Promise<void>
}

interface Header {
  readonly fingerprint: Fingerprint
  readonly messages: readonly Message[]
  readonly text: string
  readonly marks: readonly Mark[]
  /** Absent without images and sounds. */
  readonly media?: readonly TranscriptMedium[]
  readonly leftOut: number
  readonly transcriptTokens: number
  readonly conversationTokens: number
}

const magic = Buffer.from('llamero\0', 'latin1')
// What reads version 1 does not compare the adapters.
const version = 2
const prefixBytes = 32
const digestBytes = 32
/** The event loop gets a turn after so many. */
const chunkBytes = 1 << 20
const mostHeaderBytes = 1 << 28
const mostTokens = 2 ** 26

export function savedBytes({ snapshot, ...saved }: SavedSession): number {
  const tokens = allTokens({ snapshot, ...saved })
  const header = Buffer.byteLength(headerText({ snapshot, ...saved }))
  return prefixBytes + header + tokens.byteLength + (snapshot?.state.length ?? 0) + digestBytes
}

/** The bytes of a saved session in pieces of at most 1 MiB, the checksum last. */
export function* writeSession(saved: SavedSession): Generator<Uint8Array, void> {
  const header = Buffer.from(headerText(saved))
  const tokens = allTokens(saved)
  const state = saved.snapshot?.state ?? new Uint8Array()
  const prefix = Buffer.alloc(prefixBytes)
  magic.copy(prefix)
  prefix.writeUInt32LE(version, 8)
  prefix.writeUInt32LE(header.length, 12)
  prefix.writeBigUInt64LE(BigInt(tokens.length), 16)
  prefix.writeBigUInt64LE(BigInt(state.length), 24)
  const hash = createHash('sha256')
  for (const part of [prefix, header, bytesOf(tokens), state]) {
    for (let at = 0; at < part.length; at += chunkBytes) {
      const chunk = part.subarray(at, at + chunkBytes)
      hash.update(chunk)
      yield chunk
    }
  }
  yield hash.digest()
}

/**
 * Reads and checks a saved session; nothing of it is believed before the checksum fits. Rejects with
 * `ERR_STATE_MISMATCH` for whatever is not a whole, undamaged session.
 */
export async function readSession(source: ByteSource): Promise<SavedSession> {
  if (source.size < prefixBytes + digestBytes) throw damaged(`it has only ${source.size} bytes`)
  const hash = createHash('sha256')
  let position = 0
  const next = async (length: number): Promise<Buffer> => {
    // A buffer of its own: the engine reads the state on another thread, and a pool would be shared.
    const bytes = Buffer.from(new ArrayBuffer(length))
    for (let at = 0; at < length; at += chunkBytes) {
      const chunk = bytes.subarray(at, at + chunkBytes)
      await source.read(chunk, position)
      hash.update(chunk)
      position += chunk.length
    }
    return bytes
  }

  const prefix = await next(prefixBytes)
  if (!prefix.subarray(0, magic.length).equals(magic)) throw damaged('it does not begin like one')
  const found = prefix.readUInt32LE(8)
  if (found !== version) throw damaged(`its format has the version ${found}, not ${version}`)
  const headerBytes = prefix.readUInt32LE(12)
  const tokenCount = Number(prefix.readBigUInt64LE(16))
  const stateBytes = Number(prefix.readBigUInt64LE(24))
  const expected = prefixBytes + headerBytes + 4 * tokenCount + stateBytes + digestBytes
  if (headerBytes > mostHeaderBytes || tokenCount > mostTokens || expected !== source.size) {
    throw damaged(`its parts should have ${expected} bytes together, but it has ${source.size}`)
  }
  const header = await next(headerBytes)
  const tokens = await next(4 * tokenCount)
  const state = await next(stateBytes)
  const digest = Buffer.alloc(digestBytes)
  await source.read(digest, position)
  if (!hash.digest().equals(digest)) throw damaged('its checksum does not fit')
  return assemble(header, new Int32Array(tokens.buffer, 0, tokenCount), state)
}

function assemble(header: Buffer, tokens: Int32Array, state: Uint8Array): SavedSession {
  const { fingerprint, messages, text, marks, media = [], leftOut, ...counts } = parseHeader(header)
  const { transcriptTokens, conversationTokens } = counts
  const conversation = transcriptTokens + conversationTokens
  if (conversation > tokens.length) throw damaged('it has fewer tokens than its header says')
  return {
    fingerprint,
    messages,
    transcript: { text, tokens: tokens.slice(0, transcriptTokens), marks, media },
    leftOut,
    tokens: tokens.slice(transcriptTokens, conversation),
    snapshot: state.length === 0 ? undefined : { tokens: tokens.slice(conversation), state },
  }
}

function parseHeader(bytes: Buffer): Header {
  try {
    const header = JSON.parse(bytes.toString()) as Header
    const counts = [header.leftOut, header.transcriptTokens, header.conversationTokens]
    const places = header.marks.flatMap(({ messages, characters, tokens }) => [messages, characters, tokens])
    const media = (header.media ?? []).flatMap(({ characters, tokens, length }) => [characters, tokens, length])
    if (![...counts, ...places, ...media].every(isCount)) throw new Error('a number is none')
    if (typeof header.text !== 'string' || typeof header.fingerprint !== 'object') throw new Error('a text is none')
    return { ...header, messages: header.messages.flatMap((message) => normalizeMessages([message])) }
  } catch (cause) {
    throw damaged('its header can not be read', cause)
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function headerText({ fingerprint, messages, transcript, leftOut, tokens }: SavedSession): string {
  const header: Header = {
    fingerprint,
    messages: messages.map((message) => ({ ...message, content: storableContent(message.content) })),
    text: transcript.text,
    marks: transcript.marks,
    ...(transcript.media.length > 0 && { media: transcript.media }),
    leftOut,
    transcriptTokens: transcript.tokens.length,
    conversationTokens: tokens.length,
  }
  return JSON.stringify(header)
}

function allTokens({ transcript, tokens, snapshot }: Omit<SavedSession, 'fingerprint' | 'messages'>): Int32Array {
  const parts = [transcript.tokens, tokens, snapshot?.tokens ?? new Int32Array()]
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

function bytesOf(tokens: Int32Array): Uint8Array {
  return new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength)
}

function damaged(reason: string, cause?: unknown): LlameroError {
  return new LlameroError(
    'ERR_STATE_MISMATCH',
    `This is no saved session, or it is damaged: ${reason}. Begin anew, or restore another copy.`,
    { details: { reason }, cause },
  )
}
