import { createHash } from 'node:crypto'
import type { ChatTemplate } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import { adapterSetIdentity, type AdapterSet } from './adapter-set.js'
import type { OpenedModel } from './open-model.js'
import { stateFingerprint, type StateFingerprint } from './state-fingerprint.js'

/** What must be the same for a saved session to mean anything. Each entry is compared as text. */
export interface Fingerprint extends StateFingerprint {
  /** SHA-256 of the chat template: the session's text was made by it. */
  readonly template: string
  /** Which adapters it is computed with, and how strongly; '' without. */
  readonly adapters: string
}

const nouns = {
  model: 'the model',
  template: 'the chat template',
  adapters: 'the adapters or their scales',
  keyType: 'the type of the cached keys',
  valueType: 'the type of the cached values',
  rope: 'the scaling of positions, which follows from contextSize',
  llama: "llama.cpp's version",
  head: 'the trained head (mtp, draft)',
} as const satisfies Record<keyof Required<Fingerprint>, string>

const shown: readonly (keyof Fingerprint)[] = ['keyType', 'valueType', 'rope', 'llama']

/** The fingerprint of sessions of a model with these adapters. Reads some of the model's file. */
export async function fingerprintOf(
  { info, setting }: OpenedModel,
  template: ChatTemplate,
  adapters: AdapterSet,
): Promise<Fingerprint> {
  return {
    ...(await stateFingerprint(setting, info, info.cacheCells)),
    template: createHash('sha256').update(template.source).digest('hex'),
    adapters: adapterSetIdentity(adapters),
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
