import { LlameroError } from '../errors.js'
import { modelNotFound, parseName, type ModelName } from '../store/index.js'
import { modelNameOf, parseReference } from '../transfer/index.js'

/** The name of a model of the store, as a person types it: as `list` shows it, or as the repository or package it came from. */
export function storedName(text: string): ModelName {
  // A path is no name that a reference has: what looks like one is a model that is called so.
  const reference = text === '' ? undefined : parseReference(text)
  return reference === undefined || reference.type === 'file' ? parseName(text) : modelNameOf(reference)
}

/** Says in Ollama's words, with the name as it was typed, that a model is not there. */
export async function orNotFound<Value>(text: string, quote: '"' | "'", work: Promise<Value>): Promise<Value> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof LlameroError) || error.code !== 'ERR_MODEL_NOT_FOUND') throw error
    const { directory } = error.details
    if (typeof directory !== 'string') throw error
    throw modelNotFound(text, directory, `model ${quote}${text}${quote} not found in ${directory}`, error)
  }
}
