import { LlameroError } from '../errors.js'

/** One element of a sequence, with what the signs behind it say. */
export interface GrammarItem {
  /** Characters and tokens end here; a name refers to a rule; alternates are a group in parentheses. */
  readonly what: 'terminal' | { readonly name: string; readonly at: number } | readonly GrammarItem[][]
  /** May be empty: `?`, `*`, `{0,…}`, or nothing between the quotes. */
  optional: boolean
  /** How often it is written out: the bound of `{m,n}`, multiplied where several signs follow. */
  times: number
}

/** The alternates of every rule; of two rules with one name the later counts, as in llama.cpp. */
export type GrammarRules = ReadonlyMap<string, readonly GrammarItem[][]>

const maxNesting = 64
const maxRules = 2048
const maxTimes = 1000
const maxProduct = 10_000
// An element takes 8 bytes in llama.cpp, which writes repetitions out: a literal of 60 KB times 1,000 would take 480 MB.
const maxElements = 200_000

export function grammarError(reason: string, text?: string, at = 0): LlameroError {
  const line = text?.slice(0, at).split('\n').length
  const where = line === undefined ? '' : ` in line ${line}`
  return new LlameroError('ERR_GRAMMAR', `The grammar is not valid${where}: ${reason}.`, {
    details: line === undefined ? { reason } : { reason, line },
  })
}

/** Reads GBNF exactly as llama.cpp's parser does, within limits of nesting, rules and repetition. */
export function parseGrammar(text: string, vocabularySize: number): GrammarRules {
  let at = 0
  let elements = 0
  const rules = new Map<string, readonly GrammarItem[][]>()

  const fail = (reason: string): LlameroError => grammarError(reason, text, at)
  const peek = (): string => text.charAt(at)

  function skipSpace(newlines: boolean): void {
    for (;;) {
      const next = peek()
      if (next === '#') while (at < text.length && peek() !== '\r' && peek() !== '\n') at++
      else if (next === ' ' || next === '\t' || (newlines && (next === '\r' || next === '\n'))) at++
      else return
    }
  }

  function readName(): string {
    const from = at
    while (/^[a-zA-Z0-9-]$/.test(peek())) at++
    if (at === from) throw fail(`a name is expected, found ${JSON.stringify(peek())}`)
    return text.slice(from, at)
  }

  function readInteger(): number {
    const from = at
    while (/^[0-9]$/.test(peek())) at++
    if (at === from) throw fail(`a number is expected, found ${JSON.stringify(peek())}`)
    return Number(text.slice(from, at))
  }

  function skipCharacter(): void {
    if (peek() !== '\\') {
      at++
      return
    }
    const escape = text.charAt(at + 1)
    const digits = { x: 2, u: 4, U: 8 }[escape]
    if (digits === undefined) {
      if (escape === '' || !'trn\\"[]-'.includes(escape)) throw fail(`\\${escape} is not an escape`)
      at += 2
      return
    }
    const hex = text.slice(at + 2, at + 2 + digits)
    if (hex.length !== digits || !/^[0-9a-fA-F]+$/.test(hex)) throw fail(`\\${escape} needs ${digits} hex digits`)
    at += 2 + digits
  }

  function skipCharacters(close: '"' | ']', what: string): number {
    let count = 0
    for (; peek() !== close; count++) {
      if (at >= text.length) throw fail(`${what} does not end`)
      skipCharacter()
      if (close === ']' && peek() === '-' && text.charAt(at + 1) !== ']') {
        at++
        if (at >= text.length) throw fail(`${what} does not end`)
        skipCharacter()
        count++
      }
    }
    at++
    return count
  }

  function skipToken(): void {
    if (peek() === '!') at++
    if (peek() !== '<') throw fail('< is expected after !')
    at++
    if (peek() === '[') {
      at++
      const id = readInteger()
      if (id >= vocabularySize) throw fail(`token ${id} is not in the vocabulary of ${vocabularySize}`)
      if (text.slice(at, at + 2) !== ']>') throw fail(']> is expected after a token id')
      at += 2
      return
    }
    const end = text.indexOf('>', at)
    if (end < 0) throw fail('> is expected after a token')
    at = end + 1
  }

  function readItem(depth: number): { item: GrammarItem; size: number } | undefined {
    const item = (what: GrammarItem['what'], size = 1, optional = false) => ({
      item: { what, optional, times: 1 },
      size,
    })
    const next = peek()
    if (next === '"' || next === '[') {
      at++
      if (next === '[' && peek() === '^') at++
      const count = next === '"' ? skipCharacters('"', 'a literal') : skipCharacters(']', 'a character class')
      return item('terminal', count, count === 0)
    }
    if (next === '.') {
      at++
      return item('terminal')
    }
    if (next === '<' || next === '!') {
      skipToken()
      return item('terminal')
    }
    if (/^[a-zA-Z0-9-]$/.test(next)) {
      const from = at
      return item({ name: readName(), at: from })
    }
    if (next !== '(') return undefined
    at++
    skipSpace(true)
    const alternates = readAlternates(depth + 1)
    if (peek() !== ')') throw fail(`) is expected, found ${JSON.stringify(peek())}`)
    at++
    return item(alternates)
  }

  function readRepetition(nested: boolean): { min: number; max: number } | undefined {
    const sign = peek()
    if (sign === '*' || sign === '+' || sign === '?') {
      at++
      return { min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Infinity }
    }
    if (sign !== '{') return undefined
    at++
    skipSpace(nested)
    const min = readInteger()
    let max = min
    skipSpace(nested)
    if (peek() === ',') {
      at++
      skipSpace(nested)
      max = /^[0-9]$/.test(peek()) ? readInteger() : Infinity
      skipSpace(nested)
    }
    if (peek() !== '}') throw fail(`} is expected, found ${JSON.stringify(peek())}`)
    at++
    if (min > max) throw fail(`{${min},${max}} has its bounds the wrong way round`)
    if (min > maxTimes || (max > maxTimes && max !== Infinity)) throw fail(`a repetition is limited to ${maxTimes}`)
    return { min, max }
  }

  function readSequence(depth: number): GrammarItem[] {
    const nested = depth > 0
    const sequence: GrammarItem[] = []
    for (let read = readItem(depth); read !== undefined; read = readItem(depth)) {
      const { item, size } = read
      skipSpace(nested)
      for (let bounds = readRepetition(nested); bounds !== undefined; bounds = readRepetition(nested)) {
        if (bounds.min === 0) item.optional = true
        item.times *= Math.max(1, bounds.max === Infinity ? bounds.min : bounds.max)
        skipSpace(nested)
      }
      if (item.times * innerTimes(item) > maxProduct) throw fail(`nested repetitions are limited to ${maxProduct}`)
      elements += size * item.times
      if (elements > maxElements) throw fail('its repetitions are too large')
      sequence.push(item)
    }
    return sequence
  }

  function readAlternates(depth: number): GrammarItem[][] {
    if (depth > maxNesting) throw fail(`parentheses are limited to ${maxNesting} levels`)
    const alternates = [readSequence(depth)]
    while (peek() === '|') {
      at++
      skipSpace(true)
      alternates.push(readSequence(depth))
    }
    return alternates
  }

  skipSpace(true)
  while (at < text.length) {
    const name = readName()
    skipSpace(false)
    if (text.slice(at, at + 3) !== '::=') throw fail(`::= is expected after ${JSON.stringify(name)}`)
    at += 3
    skipSpace(true)
    rules.set(name, readAlternates(0))
    if (rules.size > maxRules) throw fail(`there are more than ${maxRules} rules`)
    if (at < text.length && peek() !== '\r' && peek() !== '\n') {
      throw fail(`the end of the rule is expected, found ${JSON.stringify(peek())}`)
    }
    skipSpace(true)
  }
  return rules
}

function innerTimes({ what }: GrammarItem): number {
  if (!Array.isArray(what)) return 1
  let most = 1
  for (const sequence of what as GrammarItem[][]) {
    for (const item of sequence) most = Math.max(most, item.times * innerTimes(item))
  }
  return most
}
