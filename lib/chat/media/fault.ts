import { LlameroError } from '../../errors.js'

/** What a prompt can hold beside text. */
export type MediaKind = 'image' | 'audio'

/** The error for a picture or sound that cannot be used, with what is wrong and what to do. */
export function invalidMedia(kind: MediaKind, reason: string, cause?: unknown): LlameroError {
  return new LlameroError('ERR_MEDIA_INVALID', `The ${kind} cannot be used: ${reason}`, {
    details: { kind },
    ...(cause !== undefined && { cause }),
  })
}
