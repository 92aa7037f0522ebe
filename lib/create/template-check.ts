import { parseGoTemplate } from '../chat/index.js'
import { LlameroError } from '../errors.js'

/** Throws `ERR_TEMPLATE` with `line` and `column` of the template's text if it cannot be parsed. */
export function checkTemplate(template: string): void {
  try {
    parseGoTemplate(template)
  } catch (error) {
    if (!(error instanceof LlameroError)) throw error
    // In Ollama's words.
    throw new LlameroError(error.code, `template error: ${error.message}`, { cause: error, details: error.details })
  }
}
