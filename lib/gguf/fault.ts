import { LlameroError } from '../errors.js'

/** What a fault says beside its sentence, for programs. */
export type FaultDetails = Readonly<Record<string, unknown>>

/** The file is damaged, truncated, hostile or no model: `found` says what is wrong with it and what to do. */
export function invalidModel(found: string, details: FaultDetails = {}, cause?: unknown): LlameroError {
  return new LlameroError('ERR_MODEL_INVALID', `The model file is not valid: ${found}`, { details, cause })
}

/** The file is well formed but needs something that this build does not have. */
export function unsupportedModel(found: string, details: FaultDetails = {}): LlameroError {
  return new LlameroError('ERR_UNSUPPORTED', `The model cannot be used here: ${found}`, { details })
}

/** Text from a file, made safe and short enough to stand in a message. */
export function quoted(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 77)}...` : text
  return `'${short.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')}'`
}
