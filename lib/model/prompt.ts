import { invalidOption, wellFormed } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import { contextFullError } from './context-full.js'

// security.md E7: no tokenizer gets more text than could ever fit, and no run that a byte-wise one takes minutes for.
const maxBytesPerToken = 32
const maxRun = 65_536

/** Token ids as they cross into native code; throws `ERR_TOKEN_INVALID` for an id outside the vocabulary. */
export function checkTokens(tokens: unknown, name: string, vocabularySize: number): Int32Array {
  if (!(tokens instanceof Int32Array) && !Array.isArray(tokens)) {
    throw invalidOption(name, 'an Int32Array or an array of token ids', tokens)
  }
  const list: ArrayLike<unknown> = tokens
  for (let index = 0; index < list.length; index++) {
    const token = list[index]
    if (typeof token !== 'number' || !Number.isInteger(token) || token < 0 || token >= vocabularySize) {
      throw new LlameroError(
        'ERR_TOKEN_INVALID',
        `Token ids are whole numbers from 0 to ${vocabularySize - 1}; got ${String(token)} at index ${index}.`,
        { details: { option: name, index, token, vocabularySize } },
      )
    }
  }
  return Int32Array.from(tokens as ArrayLike<number>)
}

/** Well-formed text of a size that the tokenizer may get; throws `ERR_CONTEXT_FULL` beyond 32 bytes per token. */
export function checkText(text: unknown, name: string, contextSize: number): string {
  if (typeof text !== 'string') throw invalidOption(name, 'a string', text)
  checkTextBytes(text.length, contextSize)
  const clean = wellFormed(text)
  checkTextBytes(Buffer.byteLength(clean), contextSize)
  checkRuns(clean, contextSize)
  return clean
}

export function checkTextBytes(bytes: number, contextSize: number): void {
  if (bytes > mostTextBytes(contextSize)) throw contextFullError(`${bytes} bytes`, contextSize, { bytes })
}

/** Most bytes of a text that could fit. */
export function mostTextBytes(contextSize: number): number {
  return maxBytesPerToken * contextSize
}

/** What a conversation may have for {@link checkTextBytes} to let it pass. */
export function messageLimits({ contextSize }: { readonly contextSize: number }): {
  readonly contextSize: number
  readonly mostBytes: number
} {
  return { contextSize, mostBytes: maxBytesPerToken * contextSize }
}

export function checkRuns(text: string, contextSize: number): void {
  const run = longRun(text)
  if (run === undefined) return
  throw contextFullError(`a run of ${run.length} equal characters`, contextSize, { at: run.start })
}

interface LongRun {
  readonly start: number
  readonly length: number
  /** Where a run that is just allowed would end. */
  readonly allowedEnd: number
}

/** The first run of equal characters that is longer than a tokenizer may get. */
export function longRun(text: string): LongRun | undefined {
  if (text.length <= maxRun) return undefined
  let start = 0
  for (let at = 1; at <= text.length; at++) {
    if (text.charCodeAt(at) === text.charCodeAt(start)) continue
    if (at - start > maxRun) return { start, length: at - start, allowedEnd: start + maxRun }
    start = at
  }
  return undefined
}
