import type { PartialFile } from '../store/index.js'
import { requestRange, type RangeAnswer } from './byte-range.js'
import type { HttpSettings } from './http-client.js'
import { retrying, type RetryOptions } from './retry.js'
import { transferFailure } from './transfer-failure.js'

export interface DownloadOptions {
  readonly settings: HttpSettings
  /** First byte of the file to fetch. @default 0 */
  readonly start?: number
  /** Bytes to fetch; to the end of the file if left out. */
  readonly length?: number | undefined
  /** Of the file that is meant; an answer with another {@link RangeAnswer.validator} is refused. */
  readonly validator?: string | undefined
  /** No file is longer than this. */
  readonly maxBytes: number
  /** Called with the bytes kept and, once it is known, with how many there will be. */
  readonly onProgress?: (completed: number, total: number | undefined) => void
  readonly signal?: AbortSignal | undefined
  readonly retry?: RetryOptions
}

// A try that brought less is a failure in a row; one that brought more starts the count anew.
const worthwhileBytes = 64 * 1024

/**
 * Fetches a range of a file behind what a partial file already holds, and goes on after interruptions. Nothing is
 * believed: whoever calls verifies the bytes. Errors: `ERR_REGISTRY`, and those of the partial file.
 */
export async function download(url: URL, into: PartialFile, options: DownloadOptions): Promise<void> {
  let before = into.sizeBytes
  await retrying(
    () => {
      before = into.sizeBytes
      return attempt(url, into, options)
    },
    {
      retry: options.retry,
      signal: options.signal,
      hasAdvanced: () => into.sizeBytes - before >= worthwhileBytes,
    },
  )
}

async function attempt(url: URL, into: PartialFile, options: DownloadOptions): Promise<void> {
  const { settings, start = 0, signal, onProgress, maxBytes } = options
  if (options.length !== undefined && into.sizeBytes >= options.length) return
  const from = start + into.sizeBytes
  const wanted = { start: from, ...(options.length !== undefined && { end: start + options.length - 1 }) }
  const answer = await requestRange(url, wanted, { settings, signal, idleMs: options.retry?.idleMs })
  if (answer === undefined) {
    // Asking for what lies behind the end is how one learns that everything is there; a digest has the last word.
    if (options.length === undefined && into.sizeBytes > 0) return
    throw transferFailure('protocol', 'The file on the server is shorter than its index says.')
  }
  if (options.validator !== undefined && answer.validator !== options.validator) {
    answer.discard()
    throw transferFailure('protocol', 'The file on the server was replaced during the download. Fetch it again.')
  }
  const length = options.length ?? (answer.totalBytes === undefined ? undefined : answer.totalBytes - start)
  if ((length ?? 0) > maxBytes) {
    answer.discard()
    throw transferFailure('protocol', `The file on the server is larger than ${maxBytes} bytes.`)
  }
  onProgress?.(into.sizeBytes, length)
  await take(answer, into, {
    skip: from - answer.start,
    limit: length ?? maxBytes,
    isExact: length !== undefined,
    onProgress,
  })
}

interface Take {
  readonly skip: number
  readonly limit: number
  readonly isExact: boolean
  readonly onProgress: DownloadOptions['onProgress']
}

async function take(answer: RangeAnswer, into: PartialFile, { skip, limit, isExact, onProgress }: Take): Promise<void> {
  let toSkip = skip
  for await (const chunk of answer.body) {
    const fresh = chunk.subarray(Math.min(toSkip, chunk.length))
    toSkip -= chunk.length - fresh.length
    const room = limit - into.sizeBytes
    if (fresh.length > 0) await into.append(fresh.subarray(0, room))
    onProgress?.(into.sizeBytes, isExact ? limit : undefined)
    if (isExact && into.sizeBytes >= limit) return
    if (fresh.length > room) throw transferFailure('protocol', `The file on the server is larger than ${limit} bytes.`)
  }
  if (isExact && into.sizeBytes < limit) throw transferFailure('broken', 'The server ended the download too early.')
}
