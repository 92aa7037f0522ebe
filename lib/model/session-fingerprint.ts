import { createHash } from 'node:crypto'
import { LlameroError } from '../errors.js'
import { adapterSetIdentity, type AdapterSet } from './adapter-set.js'
import { modelIdentity } from './model-identity.js'
import type { OpenedModel } from './open-model.js'

/** What must be the same for a saved session to mean anything. Each entry is compared as text. */
export interface Fingerprint {
  readonly model: string
  /** SHA-256 of the chat template: the session's text was made by it. */
  readonly template: string
  /** Which adapters it is computed with, and how strongly; '' without. */
  readonly adapters: string
  readonly keyType: string
  readonly valueType: string
  /** Which of a model's two sets of rotary factors the size of the context has chosen; '' if it has one. */
  readonly rope: string
  /** The llama.cpp whose format the state has. */
  readonly llama: string
}

const nouns = {
  model: 'the model',
  template: 'the chat template',
  adapters: 'the adapters or their scales',
  keyType: 'the type of the cached keys',
  valueType: 'the type of the cached values',
  rope: 'the scaling of positions, which follows from contextSize',
  llama: "llama.cpp's version",
} as const satisfies Record<keyof Fingerprint, string>

const shown: readonly (keyof Fingerprint)[] = ['keyType', 'valueType', 'rope', 'llama']

/** The fingerprint of sessions of a model with these adapters. Reads some of the model's file. */
export async function fingerprintOf({ info, setting }: OpenedModel, adapters: AdapterSet): Promise<Fingerprint> {
  return {
    model: await modelIdentity(setting.path),
    template: createHash('sha256')
      .update(info.chatTemplate ?? '')
      .digest('hex'),
    adapters: adapterSetIdentity(adapters),
    keyType: setting.keyType,
    valueType: setting.valueType,
    rope: ropeFactors(info.metadata, info.architecture, info.cacheCells),
    llama: setting.llamaTag,
  }
}

/** Throws `ERR_STATE_MISMATCH` that says what differs. */
export function compareFingerprints(saved: Fingerprint, here: Fingerprint): void {
  const differing = (Object.keys(nouns) as (keyof Fingerprint)[]).filter((name) => saved[name] !== here[name])
  if (differing.length === 0) return
  const words = differing.map((name) =>
    shown.includes(name) ? `${nouns[name]} ("${saved[name]}" there, "${here[name]}" here)` : nouns[name],
  )
  throw new LlameroError(
    'ERR_STATE_MISMATCH',
    `The session was saved with other settings: ${words.join(', ')}. Restore it with the same ones, or begin anew.`,
    { details: { differing } },
  )
}

/** As llama.cpp chooses: a context larger than the one before extension takes the long factors. */
function ropeFactors(metadata: Readonly<Record<string, string>>, architecture: string, cells: number): string {
  const original = Number(metadata[`${architecture}.rope.scaling.original_context_length`] ?? 0)
  if (!(original > 0)) return ''
  return cells > original ? 'long' : 'short'
}
