/** Words that the language reserves. */
export const keywords = [
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'range',
  'template',
  'with',
] as const

/** One of {@link keywords}. */
export type Keyword = (typeof keywords)[number]

/** What a token is. `mark` is any other printable ASCII character, such as a comma. */
export type TokenKind =
  | Keyword
  | 'assign'
  | 'bool'
  | 'character'
  | 'close'
  | 'complex'
  | 'declare'
  | 'dot'
  | 'eof'
  | 'field'
  | 'identifier'
  | 'left'
  | 'mark'
  | 'nil'
  | 'number'
  | 'open'
  | 'pipe'
  | 'rawString'
  | 'right'
  | 'space'
  | 'string'
  | 'text'
  | 'variable'

/** A piece of a template's source. */
export interface Token {
  readonly kind: TokenKind
  /** As written, quotes included; of `text`, without what a neighbour trims. */
  readonly text: string
  /** Where it starts in the source, in UTF-16 units. */
  readonly at: number
}

/** A token as an error shows it. */
export function describeToken({ kind, text }: Token): string {
  if (kind === 'eof') return 'EOF'
  if ((keywords as readonly string[]).includes(kind)) return `<${text}>`
  return text.length > 10 ? `${JSON.stringify(text.slice(0, 10))}...` : JSON.stringify(text)
}
