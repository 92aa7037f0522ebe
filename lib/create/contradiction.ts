import { LlameroError } from '../errors.js'

/** The error for instructions that are right one by one, but not together. */
export function contradiction(words: string): LlameroError {
  return new LlameroError('ERR_MODELFILE_INVALID', words)
}
