import { modelIdentity } from './model-identity.js'
import type { ModelSetting } from './open-model.js'

/** What must be the same for a state of llama.cpp's memory to mean anything. Each entry is compared as text. */
export interface StateFingerprint {
  readonly model: string
  readonly keyType: string
  readonly valueType: string
  /** Which of a model's two sets of rotary factors the size of the context has chosen; '' if it has one. */
  readonly rope: string
  /** The llama.cpp whose format the state has. */
  readonly llama: string
  /** The trained head that has cells in the state; absent without. */
  readonly head?: string
}

interface Facts {
  readonly architecture: string
  readonly metadata: Readonly<Record<string, string>>
}

/** The fingerprint of states in a cache of so many cells. Reads some of the model's file. */
export async function stateFingerprint(
  { path, keyType, valueType, llamaTag, headPath }: ModelSetting,
  facts: Facts,
  cells: number,
): Promise<StateFingerprint> {
  const rope = ropeFactors(facts, cells)
  const states = { model: await modelIdentity(path), keyType, valueType, rope, llama: llamaTag }
  if (headPath === undefined) return states
  return { ...states, head: headPath === path ? 'mtp' : await modelIdentity(headPath) }
}

/** As llama.cpp chooses: a context larger than the one before extension takes the long factors. */
function ropeFactors({ metadata, architecture }: Facts, cells: number): string {
  const original = Number(metadata[`${architecture}.rope.scaling.original_context_length`] ?? 0)
  if (!(original > 0)) return ''
  return cells > original ? 'long' : 'short'
}
