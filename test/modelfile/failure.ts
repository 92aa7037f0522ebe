import { LlameroError } from '../../lib/errors.js'
import { parseModelfile, readRecipe } from '../../lib/modelfile/index.js'

/** The message, line and column of the ERR_MODELFILE_INVALID that a call throws. */
export function failure(run: () => unknown): { message: string; line: unknown; column: unknown } {
  try {
    run()
  } catch (error) {
    if (!(error instanceof LlameroError) || error.code !== 'ERR_MODELFILE_INVALID') throw error
    return { message: error.message, line: error.details['line'], column: error.details['column'] }
  }
  throw new Error('nothing was thrown')
}

/** What becomes of a source: nothing but the error of a Modelfile may be thrown. */
export function outcome(source: string | Uint8Array): string {
  try {
    readRecipe(parseModelfile(source))
    return 'read'
  } catch (error) {
    if (error instanceof LlameroError && error.code === 'ERR_MODELFILE_INVALID') return 'refused'
    throw error
  }
}
