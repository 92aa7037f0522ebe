import { templateFault } from './fault.js'
import { keywords, type Keyword, type Token, type TokenKind } from './token.js'

const signs: ReadonlyMap<string, TokenKind> = new Map([
  ['=', 'assign'],
  ['|', 'pipe'],
])
const words: ReadonlySet<string> = new Set(keywords)

/**
 * Cuts a template into tokens, one at each call of `next`, so that a hostile source costs no more than the part of it
 * that is read before the parser gives up.
 */
export class Lexer {
  readonly #source: string
  #at = 0
  #isInAction = false
  /** Open parentheses of the action. */
  #open = 0

  constructor(source: string) {
    this.#source = source
  }

  /** Errors: `ERR_TEMPLATE` with the place of what is no token. */
  next(): Token {
    while (!this.#isInAction) {
      const token = this.#text()
      if (token !== undefined) return token
    }
    return this.#inAction()
  }

  /** Text up to the next action, or what comes in place of it; undefined for empty text and comments. */
  #text(): Token | undefined {
    const source = this.#source
    const start = this.#at
    const found = source.indexOf('{{', start)
    const end = found < 0 ? source.length : found
    if (end > start) {
      this.#at = end
      const kept = found >= 0 && trimsLeft(source, found + 2) ? trimmedEnd(source, start, end) : end
      return kept > start ? this.#token('text', start, kept) : undefined
    }
    if (found < 0) return this.#token('eof', end, end)
    const inner = found + 2 + (trimsLeft(source, found + 2) ? 2 : 0)
    this.#at = inner
    if (source.startsWith('/*', inner)) {
      this.#comment(inner)
      return undefined
    }
    this.#isInAction = true
    this.#open = 0
    return this.#token('left', found, found + 2)
  }

  #comment(start: number): void {
    const end = this.#source.indexOf('*/', start + 2)
    if (end < 0) throw this.#fault('unclosed comment', start)
    this.#at = end + 2
    const length = this.#rightDelimiter()
    if (length === 0) throw this.#fault('comment ends before closing delimiter', this.#at)
    this.#leave(length)
  }

  #inAction(): Token {
    const source = this.#source
    const start = this.#at
    const right = this.#rightDelimiter()
    if (right > 0) {
      if (this.#open > 0) throw this.#fault('unclosed left paren', start)
      const token = this.#token('right', start + right - 2, start + right)
      this.#leave(right)
      return token
    }
    if (start >= source.length) throw this.#fault('unclosed action', start)
    const character = characterAt(source, start)
    if (isSpace(character)) return this.#space()
    const sign = signs.get(character)
    if (sign !== undefined) return this.#take(sign, 1)
    switch (character) {
      case ':':
        if (source[start + 1] !== '=') throw this.#fault('expected :=', start)
        return this.#take('declare', 2)
      case '"':
        return this.#quoted('string', '"', 'unterminated quoted string')
      case "'":
        return this.#quoted('character', "'", 'unterminated character constant')
      case '`':
        return this.#rawString()
      case '$':
        return this.#name('variable')
      case '.':
        return /\d/.test(source[start + 1] ?? '') ? this.#number() : this.#name('field')
      case '(':
        this.#open += 1
        return this.#take('open', 1)
      case ')':
        this.#open -= 1
        if (this.#open < 0) throw this.#fault('unexpected right paren', start)
        return this.#take('close', 1)
    }
    if (/[-+0-9]/.test(character)) return this.#number()
    if (isNameCharacter(character)) return this.#identifier()
    if (/[ -~]/.test(character)) return this.#take('mark', 1)
    throw this.#fault(`unrecognized character in action: ${codePoint(character)}`, start)
  }

  #space(): Token {
    const start = this.#at
    let end = start
    // The space before a trim marker belongs to the marker.
    while (isSpace(this.#source[end] ?? '') && !this.#source.startsWith('-}}', end + 1)) end += 1
    return this.#take('space', end - start)
  }

  #quoted(kind: 'string' | 'character', quote: string, complaint: string): Token {
    const source = this.#source
    let end = this.#at + 1
    while (source[end] !== quote) {
      const escaped = source[end] === '\\' ? 1 : 0
      if (end + escaped >= source.length || source[end + escaped] === '\n') throw this.#fault(complaint, this.#at)
      end += 1 + escaped
    }
    return this.#take(kind, end + 1 - this.#at)
  }

  #rawString(): Token {
    const end = this.#source.indexOf('`', this.#at + 1)
    if (end < 0) throw this.#fault('unterminated raw quoted string', this.#at)
    return this.#take('rawString', end + 1 - this.#at)
  }

  /** A field or variable: the sign that it starts with is there; a lone one is dot or `$`. */
  #name(kind: 'field' | 'variable'): Token {
    const length = 1 + this.#nameLength(this.#at + 1)
    this.#requireTerminator(this.#at + length)
    return this.#take(kind === 'field' && length === 1 ? 'dot' : kind, length)
  }

  #identifier(): Token {
    const length = this.#nameLength(this.#at)
    this.#requireTerminator(this.#at + length)
    const word = this.#source.slice(this.#at, this.#at + length)
    if (words.has(word)) return this.#take(word as Keyword, length)
    if (word === 'true' || word === 'false') return this.#take('bool', length)
    return this.#take(word === 'nil' ? 'nil' : 'identifier', length)
  }

  #number(): Token {
    const start = this.#at
    let end = this.#numberEnd(start)
    const isComplex = /[-+]/.test(this.#source[end] ?? '')
    if (isComplex) {
      end = this.#numberEnd(end)
      if (this.#source[end - 1] !== 'i') throw this.#badNumber(start, end)
    }
    return this.#take(isComplex ? 'complex' : 'number', end - start)
  }

  #numberEnd(start: number): number {
    const literal =
      /[-+]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][-+]?[0-9_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]*)?)i?/y
    literal.lastIndex = start
    const end = start + (literal.exec(this.#source)?.[0].length ?? 0)
    if (isNameCharacter(characterAt(this.#source, end))) throw this.#badNumber(start, end + 1)
    return end
  }

  #badNumber(start: number, end: number): Error {
    return this.#fault(`bad number syntax: ${JSON.stringify(this.#source.slice(start, end))}`, start)
  }

  #nameLength(start: number): number {
    let end = start
    for (;;) {
      const character = characterAt(this.#source, end)
      if (!isNameCharacter(character)) return end - start
      end += character.length
    }
  }

  #requireTerminator(at: number): void {
    const character = characterAt(this.#source, at)
    if (character === '' || isSpace(character) || '.,|:()'.includes(character)) return
    if (this.#source.startsWith('}}', at)) return
    throw this.#fault(`bad character ${codePoint(character)}`, at)
  }

  /** Length of the closing delimiter that starts here, its trim marker included; 0 for none. */
  #rightDelimiter(): number {
    if (this.#source.startsWith('}}', this.#at)) return 2
    return isSpace(this.#source[this.#at] ?? '') && this.#source.startsWith('-}}', this.#at + 1) ? 4 : 0
  }

  #leave(delimiterLength: number): void {
    this.#at += delimiterLength
    this.#isInAction = false
    if (delimiterLength === 4) while (isSpace(this.#source[this.#at] ?? '')) this.#at += 1
  }

  #take(kind: TokenKind, length: number): Token {
    const start = this.#at
    this.#at += length
    return this.#token(kind, start, this.#at)
  }

  #token(kind: TokenKind, start: number, end: number): Token {
    return { kind, text: this.#source.slice(start, end), at: start }
  }

  #fault(reason: string, at: number): Error {
    return templateFault(this.#source, at, reason)
  }
}

function trimsLeft(source: string, at: number): boolean {
  return source[at] === '-' && isSpace(source[at + 1] ?? '')
}

function trimmedEnd(source: string, start: number, end: number): number {
  let kept = end
  while (kept > start && isSpace(source[kept - 1] ?? '')) kept -= 1
  return kept
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\r' || character === '\n'
}

function isNameCharacter(character: string): boolean {
  if (character === '') return false
  // Most are ASCII, and the pattern is slow.
  const code = character.charCodeAt(0)
  if (code < 0x80)
    return (
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x41 && code <= 0x5a) ||
      (code >= 0x30 && code <= 0x39) ||
      code === 0x5f
    )
  return /^[\p{L}\p{Nd}]$/u.test(character)
}

function characterAt(source: string, at: number): string {
  const unit = source[at] ?? ''
  return unit >= '\ud800' && unit <= '\udbff' ? String.fromCodePoint(source.codePointAt(at) ?? 0) : unit
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}
