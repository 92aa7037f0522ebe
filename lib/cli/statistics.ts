import type { Usage } from '../model/index.js'
import { goDuration } from './duration.js'

/** What an answer cost. */
export interface AnswerCost {
  readonly usage: Usage
  readonly loadMs: number
  /** From the start of the load to the end of the answer, in ms. */
  readonly totalMs: number
}

const labelWidth = 22

/** The block of `--verbose`, as Ollama prints it, and what speculation did; what is zero is left out. */
export function statistics({ usage, loadMs, totalMs }: AnswerCost): string {
  const computed = usage.inputTokens - usage.cachedTokens
  // The first token's time belongs to the prompt, so that `decodeMs` covers the tokens after it.
  const decoded = usage.outputTokens - 1
  const lines = [
    line('total duration:', totalMs, goDuration),
    line('load duration:', loadMs, goDuration),
    line('prompt eval count:', usage.inputTokens, tokens),
    line('prompt eval duration:', usage.prefillMs, goDuration),
    line('prompt eval rate:', perSecond(computed, usage.prefillMs), rate),
    line('eval count:', usage.outputTokens, tokens),
    line('eval duration:', usage.decodeMs, goDuration),
    line('eval rate:', perSecond(decoded, usage.decodeMs), rate),
    line('draft count:', usage.draftTokens, tokens),
    line('draft accepted:', usage.acceptedTokens, tokens),
  ]
  return lines.join('')
}

function line(label: string, value: number, show: (value: number) => string): string {
  return value > 0 ? `${label.padEnd(labelWidth)}${show(value)}\n` : ''
}

function perSecond(count: number, milliseconds: number): number {
  return milliseconds > 0 ? (count * 1000) / milliseconds : 0
}

const tokens = (count: number): string => `${count} token(s)`
const rate = (value: number): string => `${value.toFixed(2)} tokens/s`
