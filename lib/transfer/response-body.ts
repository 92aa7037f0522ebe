import type { IncomingMessage } from 'node:http'
import { connectionFailure, transferFailure } from './transfer-failure.js'

/** Limits on a document that is read into memory. */
export interface BodyLimits {
  readonly maxBytes: number
  /** Time for the whole of it: a server may not feed us a byte now and then for ever. @default 30000 */
  readonly withinMs?: number
  readonly signal?: AbortSignal | undefined
}

/** Reads a small answer whole. Errors: `ERR_REGISTRY`. */
export async function readBody(
  response: IncomingMessage,
  { maxBytes, withinMs = 30_000, signal }: BodyLimits,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  const late = transferFailure('broken', `The server took longer than ${withinMs / 1000} seconds for a short answer.`)
  const timer = setTimeout(() => response.destroy(late), withinMs)
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBytes)
        throw transferFailure('protocol', `The server's answer is longer than ${maxBytes} bytes, which it must not be.`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } catch (error) {
    signal?.throwIfAborted()
    throw connectionFailure(error)
  } finally {
    clearTimeout(timer)
    response.destroy()
  }
}

const shownCharacters = 256

/** What a failed answer says, for people: the message of the registry's error document, else its text; cut, on one line. */
export async function failureOf(response: IncomingMessage): Promise<string> {
  const body = await readBody(response, { maxBytes: 64 * 1024, withinMs: 5_000 }).catch(() => Buffer.alloc(0))
  const text = body.toString('utf8')
  return oneLine(documentedFailure(text) ?? text)
}

function documentedFailure(text: string): string | undefined {
  try {
    const { errors, error } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[]; error?: unknown }
    if (typeof error === 'string') return error
    const { code, message } = errors?.[0] ?? {}
    return typeof message === 'string' && message !== '' ? message : typeof code === 'string' ? code : undefined
  } catch {
    return undefined
  }
}

function oneLine(text: string): string {
  const clean = text.replace(/[\p{C}\s]+/gu, ' ').trim()
  return clean.length > shownCharacters ? `${clean.slice(0, shownCharacters)}…` : clean
}
