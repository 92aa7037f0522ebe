import { LlameroError } from '../errors.js'
import type { Digest } from './digest.js'

/** What helps a model that is damaged on disk: where it came from is not always known. */
export const cure = 'Pull the model again, or make it again if it was made on this machine.'

/**
 * The error for a model that the store lacks, in one wording whoever notices it.
 *
 * @param asked the name as it was asked for
 * @param says how the sentence begins, where it shall be that of Ollama
 */
export function modelNotFound(
  asked: string,
  directory: string,
  says = `The model ${JSON.stringify(asked)} is not in the store ${directory}`,
  cause?: unknown,
): LlameroError {
  return new LlameroError(
    'ERR_MODEL_NOT_FOUND',
    `${says}. 'llamero list' shows the models that are there, 'llamero pull ${asked}' fetches it.`,
    { cause, details: { model: asked, directory } },
  )
}

/** The error for a model with a blob that is not there or not whole. */
export function damagedModel(model: string, digest: Digest, found = 'is missing or has another size'): LlameroError {
  return new LlameroError('ERR_STORE', `The model ${model} is damaged: its blob ${digest} ${found}. ${cure}`, {
    details: { model, digest },
  })
}
