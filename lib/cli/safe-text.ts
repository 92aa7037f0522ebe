// Line feeds and tabs stay. What is left of an escape sequence without its first character is plain text.
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/**
 * Text without control characters. A terminal obeys them: an answer could otherwise change what is on the screen, the
 * window's title or the clipboard.
 */
export function safeText(text: string): string {
  return text.replace(controls, '')
}
