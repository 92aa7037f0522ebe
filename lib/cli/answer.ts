import type { FinishPart, Part } from '../model/index.js'
import type { Output } from './output.js'
import { safeText } from './safe-text.js'
import { ThinkingMarks } from './thinking-marks.js'
import { WordWrap } from './word-wrap.js'

/** How an answer is shown. */
export interface AnswerLook {
  /** Break lines between words; only where they can be taken back. */
  readonly wrapsWords: boolean
  /** Show what the model thinks before it answers, between Ollama's marks. */
  readonly showsThinking: boolean
}

/**
 * Writes an answer as it comes. A program that reads it gets it to the letter; a terminal gets it without control
 * characters, since what a model says is not to be trusted.
 */
export async function writeAnswer(
  parts: AsyncIterable<Part>,
  stdout: Output,
  { wrapsWords, showsThinking }: AnswerLook,
): Promise<FinishPart> {
  const wrap = new WordWrap(() => stdout.columns)
  const show = (text: string): string => {
    if (!stdout.isTerminal) return text
    return wrapsWords && stdout.canRedraw ? wrap.push(safeText(text)) : safeText(text)
  }
  const thinking = new ThinkingMarks(stdout)
  for await (const part of parts) {
    if (part.type === 'reasoning' && showsThinking) await thinking.write(show(part.text))
    if (part.type === 'text') {
      await thinking.end()
      await stdout.write(show(part.text))
    }
    if (part.type === 'finish') {
      await thinking.end()
      // Like Ollama's, an answer ends with a blank line.
      await stdout.write(part.finishReason === 'abort' ? '\n' : '\n\n')
      return part
    }
  }
  throw new Error('A generation ended without a finish part.')
}
