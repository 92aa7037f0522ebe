import type { IncomingMessage } from 'node:http'
import { LlameroError } from '../errors.js'

/**
 * Why a transfer failed: `unreachable` no connection came about; `refused` the other side, its certificate or a proxy
 * turned us away; `status` it answered with an error; `broken` the answer stopped; `protocol` the answer makes no sense;
 * `damaged` the bytes that arrived cannot be decoded.
 */
export type FailureReason = 'unreachable' | 'refused' | 'status' | 'broken' | 'protocol' | 'damaged'

/** An `ERR_REGISTRY` that says why, never with an address in it. */
export function transferFailure(
  reason: FailureReason,
  message: string,
  cause?: unknown,
  httpStatus?: number,
): LlameroError {
  // The text of a cause may hold host names; only its code is kept.
  const systemCode =
    cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
  return new LlameroError('ERR_REGISTRY', message, { details: { reason, systemCode, httpStatus } })
}

/** The failure of an answer with an error status; notes how long the server asks to be left alone. */
export function statusFailed({ statusCode: httpStatus = 0, headers }: IncomingMessage, message: string): LlameroError {
  return new LlameroError('ERR_REGISTRY', message, {
    details: { reason: 'status', httpStatus, retryAfterMs: retryAfterMs(headers) },
  })
}

// Seconds or a date; Hugging Face says `"resolvers";r=0;t=55` instead (draft-ietf-httpapi-ratelimit-headers).
function retryAfterMs({ 'retry-after': after, ratelimit }: IncomingMessage['headers']): number | undefined {
  const [, seconds] = /^\s*(\d{1,9})\s*$/.exec(after ?? '') ?? /;\s*t=(\d{1,9})/.exec(String(ratelimit ?? '')) ?? []
  if (seconds !== undefined) return Number(seconds) * 1000
  const until = Date.parse(after ?? '') - Date.now()
  return Number.isNaN(until) ? undefined : Math.max(0, until)
}

export function failureReason(error: unknown): FailureReason | undefined {
  if (!(error instanceof LlameroError) || error.code !== 'ERR_REGISTRY') return undefined
  return error.details.reason as FailureReason | undefined
}

/** Whether the same request may well succeed a little later. */
export function isPassing(error: unknown): boolean {
  const reason = failureReason(error)
  if (reason === 'unreachable' || reason === 'broken') return true
  const status = error instanceof LlameroError ? error.details.httpStatus : undefined
  return reason === 'status' && typeof status === 'number' && (status >= 500 || status === 429 || status === 408)
}

/** Whether another client, with settings of its own, might get through where we did not. */
export function isOursAlone(error: unknown): boolean {
  const reason = failureReason(error)
  return reason === 'unreachable' || reason === 'refused'
}

const brokenCodes: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT'])

/** What a failed connection means; `advice` says what to do about a certificate that is not accepted. */
export function connectionFailure(
  error: unknown,
  advice = 'Check which certificate authorities are trusted here.',
): Error {
  if (!(error instanceof Error)) return transferFailure('broken', 'The connection to the server broke.')
  if (error instanceof LlameroError) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (/^E[A-Z_]+$/.test(code) && !code.startsWith('ERR_')) {
    if (code === 'EPROTO') {
      const words =
        'The server does not answer in https (EPROTO). If it has no encryption, allow that: --insecure, or the option insecure.'
      return transferFailure('unreachable', words, error)
    }
    if (brokenCodes.has(code)) return transferFailure('broken', `The connection to the server broke (${code}).`, error)
    return transferFailure(
      'unreachable',
      `The server could not be reached (${code}). Check the network and the proxy settings.`,
      error,
    )
  }
  if (code.startsWith('HPE_')) return transferFailure('protocol', `The server's answer is not HTTP (${code}).`, error)
  if (/CERT|SSL|TLS|ISSUER|SIGNATURE|CRL|PURPOSE|HOSTNAME/.test(code)) {
    return transferFailure('refused', `The server's certificate was not accepted (${code}). ${advice}`, error)
  }
  return transferFailure('unreachable', `The server could not be reached${code === '' ? '' : ` (${code})`}.`, error)
}
