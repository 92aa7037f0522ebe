const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const invisible = /^[\p{Mark}\p{Format}\p{Control}]+$/u
const wide =
  /[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\u3000-\u303e\ufe0f\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/u

/** The characters of a text as people count them. */
export function graphemes(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

/** Whether a character takes two cells of a terminal, as those of East Asia and emoji do. */
export function isWide(grapheme: string): boolean {
  return wide.test(grapheme)
}

/** Cells of a terminal that a text takes. */
export function displayWidth(text: string): number {
  return graphemes(text).reduce((sum, grapheme) => sum + cells(grapheme), 0)
}

function cells(grapheme: string): number {
  if (isWide(grapheme)) return 2
  return invisible.test(grapheme) ? 0 : 1
}
