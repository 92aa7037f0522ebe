import type { LlameroError } from '../errors.js'
import { invalidModelfile } from './fault.js'
import type { ParsedInstruction, Position } from './instruction.js'
import { readInstruction } from './read-instruction.js'
import { modelfileLimits, positionsIn, sourceText } from './source-text.js'
import { endOfLine, isBlank, isLineEnd } from './value-form.js'

/**
 * Reads a Modelfile as Ollama does: every instruction in its order, repeated ones too, each with its place. Comments are
 * left out. Whether the names and values of parameters, models and files are right is not looked at here; see
 * {@link readRecipe}.
 *
 * Throws `ERR_MODELFILE_INVALID`, with Ollama's words in the message and `line` and `column` in `details`.
 *
 * @param source text, or bytes in UTF-8, or in UTF-16 with a byte order mark; up to 8 MiB and 65,536 instructions
 */
export function parseModelfile(source: string | Uint8Array): ParsedInstruction[] {
  const text = sourceText(source)
  const positionOf = positionsIn(text)
  const instructions: ParsedInstruction[] = []
  for (let at = skipIdle(text, 0); at < text.length;) {
    const position = positionOf(at)
    if (instructions.length === modelfileLimits.instructions) {
      throw invalidModelfile(`a Modelfile may have up to ${modelfileLimits.instructions} instructions`, position)
    }
    const { instruction, end } = readInstruction({ text, positionOf }, at)
    instructions.push({ ...instruction, ...position })
    at = skipIdle(text, end)
  }
  if (!instructions.some(({ type }) => type === 'from')) throw missingFrom(positionOf(text.length))
  return instructions
}

/** A Modelfile must say what the model is made from. */
export function missingFrom(position?: Position): LlameroError {
  return invalidModelfile('no FROM line; write FROM with the name of a model, a GGUF file or a folder', position)
}

/** The offset behind blanks, empty lines and comments. */
function skipIdle(text: string, start: number): number {
  let at = start
  for (;;) {
    while (isBlank(text, at) || isLineEnd(text, at)) at += 1
    if (text[at] !== '#') return at
    at = endOfLine(text, at)
  }
}
