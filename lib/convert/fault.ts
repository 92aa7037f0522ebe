import { LlameroError } from '../errors.js'
import type { FaultDetails } from '../gguf/fault.js'

export { quoted } from '../gguf/fault.js'

/** The folder is damaged, incomplete or hostile: `found` says what is wrong with it and what to do. */
export function invalidSource(found: string, details: FaultDetails = {}, cause?: unknown): LlameroError {
  return new LlameroError('ERR_MODEL_INVALID', `The model cannot be converted: ${found}`, { details, cause })
}

/** The folder is well formed but needs something that the converter does not have. */
export function unsupportedSource(found: string, details: FaultDetails = {}): LlameroError {
  return new LlameroError('ERR_UNSUPPORTED', `The model cannot be converted: ${found}`, { details })
}
