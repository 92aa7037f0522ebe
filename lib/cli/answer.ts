import type { FinishPart, Part } from '../model/index.js'
import type { Output } from './output.js'
import { safeText } from './safe-text.js'
import { WordWrap } from './word-wrap.js'

/** How an answer is shown. */
export interface AnswerLook {
  /** Break lines between words; only where they can be taken back. */
  readonly wrapsWords: boolean
}

/**
 * Writes an answer as it comes. A program that reads it gets it to the letter; a terminal gets it without control
 * characters, since what a model says is not to be trusted.
 */
export async function writeAnswer(
  parts: AsyncIterable<Part>,
  stdout: Output,
  { wrapsWords }: AnswerLook,
): Promise<FinishPart> {
  const wrap = new WordWrap(() => stdout.columns)
  const show = (text: string): string => {
    if (!stdout.isTerminal) return text
    return wrapsWords && stdout.canRedraw ? wrap.push(safeText(text)) : safeText(text)
  }
  for await (const part of parts) {
    if (part.type === 'text') await stdout.write(show(part.text))
    if (part.type === 'finish') {
      // Like Ollama's, an answer ends with a blank line.
      await stdout.write(part.finishReason === 'abort' ? '\n' : '\n\n')
      return part
    }
  }
  throw new Error('A generation ended without a finish part.')
}
