import { templateFault } from './fault.js'
import { templateLimits } from './limits.js'
import type { Lexer } from './lexer.js'
import { describeToken, type Token, type TokenKind } from './token.js'

/** Tokens with a look ahead, and the errors about them. */
export class TokenReader {
  readonly #source: string
  readonly #lexer: Lexer
  readonly #ahead: Token[] = []
  #count = 0

  constructor(source: string, lexer: Lexer) {
    this.#source = source
    this.#lexer = lexer
  }

  next(): Token {
    const known = this.#ahead.pop()
    if (known !== undefined) return known
    const token = this.#lexer.next()
    this.#count += 1
    if (this.#count > templateLimits.tokens) throw this.fault(`more than ${templateLimits.tokens} tokens`, token.at)
    return token
  }

  /** Takes back tokens, the one that was read first first. */
  putBack(...tokens: readonly Token[]): void {
    this.#ahead.push(...tokens.toReversed())
  }

  peek(): Token {
    const token = this.next()
    this.#ahead.push(token)
    return token
  }

  nextNonSpace(): Token {
    for (;;) {
      const token = this.next()
      if (token.kind !== 'space') return token
    }
  }

  peekNonSpace(): Token {
    const token = this.nextNonSpace()
    this.#ahead.push(token)
    return token
  }

  expect(kind: TokenKind, context: string): Token {
    const token = this.nextNonSpace()
    if (token.kind !== kind) throw this.unexpected(token, context)
    return token
  }

  unexpected(token: Token, context: string): Error {
    return this.fault(`unexpected ${describeToken(token)} in ${context}`, token.at)
  }

  fault(reason: string, at: number): Error {
    return templateFault(this.#source, at, reason)
  }
}
