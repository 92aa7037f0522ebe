import { LlameroError } from '../errors.js'
import type { Position } from './instruction.js'

/**
 * A Modelfile that cannot be taken. The sentence begins with Ollama's words where Ollama refuses the same;
 * the place, if there is one, is in `details` too.
 */
export function invalidModelfile(words: string, position: Partial<Position> = {}): LlameroError {
  const { line, column } = position
  if (line === undefined) return new LlameroError('ERR_MODELFILE_INVALID', words)
  return new LlameroError('ERR_MODELFILE_INVALID', `(line ${line}): ${words}`, { details: { line, column } })
}

/** Text of a Modelfile, made safe and short enough to stand in a message. */
export function shown(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 77)}...` : text
  return short.replace(/[\u0000-\u001f\u007f-\u009f\p{Surrogate}]/gu, '?')
}
