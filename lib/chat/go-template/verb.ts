/** A verb of `printf` with its flags. */
export interface Verb {
  /** A letter, or any other character that stands in its place. */
  readonly letter: string
  readonly plus: boolean
  readonly minus: boolean
  readonly sharp: boolean
  readonly space: boolean
  readonly zero: boolean
  /** `%+v`. */
  readonly names: boolean
  /** `%#v`. */
  readonly syntax: boolean
  readonly width: number | undefined
  readonly precision: number | undefined
}

/** `%v`. */
export const plainVerb: Verb = {
  letter: 'v',
  plus: false,
  minus: false,
  sharp: false,
  space: false,
  zero: false,
  names: false,
  syntax: false,
  width: undefined,
  precision: undefined,
}

/** The text at the width that was asked for. */
export function padded(text: string, verb: Verb): string {
  const { width = 0, minus, zero } = verb
  if (width === 0) return text
  const missing = width - characters(text)
  if (missing <= 0) return text
  if (minus) return text + ' '.repeat(missing)
  return (zero ? '0' : ' ').repeat(missing) + text
}

/** Code points of a text. */
export function characters(text: string): number {
  let count = text.length
  for (let at = 0; at < text.length - 1; at++) {
    const unit = text.charCodeAt(at)
    if (unit >= 0xd800 && unit <= 0xdbff) count -= 1
  }
  return count
}

/** The first so many code points. */
export function firstCharacters(text: string, count: number): string {
  let at = 0
  for (let seen = 0; seen < count && at < text.length; seen++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  return text.slice(0, at)
}
