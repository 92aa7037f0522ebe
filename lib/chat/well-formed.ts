/**
 * The text with every lone surrogate replaced by U+FFFD, as `String.prototype.toWellFormed` does, so that only
 * well-formed UTF-8 reaches the native side.
 */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD')
}
