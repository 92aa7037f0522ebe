import type { IncomingMessage } from 'node:http'
import { httpGet, type GetOptions } from './http-client.js'
import { connectionFailure, statusFailed, transferFailure } from './transfer-failure.js'

/** A readable answer that begins at a known byte. */
export interface RangeAnswer {
  /** The first byte of the body, counted from the beginning of the file. */
  readonly start: number
  /** Bytes of the whole file, if the server said so. */
  readonly totalBytes: number | undefined
  /** Whether the server understands ranges. */
  readonly isPartial: boolean
  /** What tells this state of the file from others: its entity tag, else its date. */
  readonly validator: string | undefined
  readonly body: AsyncIterable<Uint8Array>
  /** Closes the connection; further bytes are lost. */
  discard(): void
}

/** `start` to the end, or the last `suffix` bytes. */
export type WantedRange = { readonly start: number; readonly end?: number } | { readonly suffix: number }

/**
 * Asks for a part of a file. A server that knows no ranges answers with the whole file, which begins at 0; one whose
 * answer contradicts the request is an `ERR_REGISTRY`. Undefined: the file ends where the range would begin.
 */
export async function requestRange(
  url: URL,
  wanted: WantedRange,
  options: GetOptions,
): Promise<RangeAnswer | undefined> {
  const range = 'suffix' in wanted ? `bytes=-${wanted.suffix}` : `bytes=${wanted.start}-${wanted.end ?? ''}`
  const response = await httpGet(url, { ...options, headers: { ...options.headers, range } })
  const status = response.statusCode ?? 0
  if (status === 206) return partialAnswer(response, wanted, options)
  if (status === 200) return answer(response, 0, contentLength(response), false, options)
  response.destroy()
  if (status === 416) return undefined
  throw statusFailed(response, `The server answered ${status} to the download.`)
}

function partialAnswer(response: IncomingMessage, wanted: WantedRange, options: GetOptions): RangeAnswer {
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/i.exec(response.headers['content-range'] ?? '')
  const [start, last, total] = [
    Number(match?.[1]),
    Number(match?.[2]),
    match?.[3] === '*' ? undefined : Number(match?.[3]),
  ]
  const isOrdered = start <= last && (total === undefined || last < total)
  const isWanted =
    'suffix' in wanted ? total !== undefined && start === Math.max(0, total - wanted.suffix) : start === wanted.start
  if (!isOrdered || !isWanted) {
    response.destroy()
    throw transferFailure('protocol', 'The server sent another range of the file than was asked for.')
  }
  return answer(response, start, total, true, options)
}

function answer(
  response: IncomingMessage,
  start: number,
  totalBytes: number | undefined,
  isPartial: boolean,
  { signal }: GetOptions,
): RangeAnswer {
  const { etag, 'last-modified': date } = response.headers
  return {
    start,
    totalBytes,
    isPartial,
    validator: etag ?? date,
    body: bodyOf(response, signal),
    discard: () => void response.destroy(),
  }
}

async function* bodyOf(response: IncomingMessage, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response) yield chunk as Uint8Array
  } catch (error) {
    signal?.throwIfAborted()
    // The iterator stops at once when the line breaks; what had arrived by then is still to be read.
    for (let rest: unknown; (rest = response.read()) !== null;) yield rest as Uint8Array
    throw connectionFailure(error)
  } finally {
    response.destroy()
  }
}

function contentLength(response: IncomingMessage): number | undefined {
  const text = response.headers['content-length']
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined
}
