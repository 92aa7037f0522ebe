import { randomBytes } from 'node:crypto'
import { LlameroError } from '../../errors.js'
import type { NativeTextPart } from '../../native-types.js'

/**
 * What a template is given in place of an image or sound, to be found again in what it writes: another one for each
 * prompt, so that no text can hold it.
 */
export function mediaMarker(): string {
  return `<media-${randomBytes(16).toString('hex')}>`
}

/**
 * Takes rendered runs apart at a marker: the runs between, and the number of the medium where one stands. Throws
 * `ERR_TEMPLATE` unless the template has written each of `count` media once.
 */
export function splitAtMarker(
  parts: readonly NativeTextPart[],
  marker: string,
  count: number,
): readonly (NativeTextPart | number)[] {
  const split: (NativeTextPart | number)[] = []
  let found = 0
  // A template may hand a message on in several runs, so that the marker lies in two.
  const whole = mergeRuns(parts)
  for (const { text, trusted } of whole) {
    for (const [index, piece] of text.split(marker).entries()) {
      if (index > 0) split.push(found++)
      if (piece !== '') split.push({ text: piece, trusted })
    }
  }
  if (found === count) return split
  throw new LlameroError(
    'ERR_TEMPLATE',
    `The chat template wrote ${found} of ${count} images and sounds; it was not made for them. Use a model whose template was.`,
    { details: { written: found, expected: count } },
  )
}

function mergeRuns(parts: readonly NativeTextPart[]): NativeTextPart[] {
  const merged: NativeTextPart[] = []
  for (const part of parts) {
    const last = merged.at(-1)
    if (last?.trusted === part.trusted) merged.splice(-1, 1, { text: last.text + part.text, trusted: part.trusted })
    else merged.push(part)
  }
  return merged
}
