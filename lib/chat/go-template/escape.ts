const html: ReadonlyMap<string, string> = new Map([
  ['\0', '\uFFFD'],
  ['"', '&#34;'],
  ["'", '&#39;'],
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
])

/** Go's `HTMLEscapeString`. */
export function htmlText(text: string): string {
  return text.replaceAll(/[\0"'&<>]/g, (character) => html.get(character) ?? character)
}

/** Go's `JSEscapeString`. What `isPrintable` accepts is left out of the pattern: a call for each letter took most of the time. */
export function javaScriptText(text: string): string {
  return text.replaceAll(/[\\'"<>&=\0-\x1f]|[^\0-\x7f\p{L}\p{M}\p{N}\p{P}\p{S}]/gu, (character) => {
    if ('\\\'"'.includes(character)) return `\\${character}`
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
  })
}

/** Go's `url.QueryEscape`. */
export function queryText(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}
