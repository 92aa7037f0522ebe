/** An object or array that is not closed yet. */
interface Open {
  readonly value: Record<string, unknown> | unknown[]
  /** The key that the next value belongs to. */
  key: string | undefined
  /** What may come next. */
  expects: 'first' | 'key' | 'colon' | 'value' | 'comma'
}

/** What is being read: a string, a number or `true`, `false`, `null`. */
interface Scalar {
  readonly kind: 'string' | 'key' | 'word'
  text: string
  /** The escape so far, from its backslash on. */
  escape: string
  /** A high surrogate that waits for its other half. */
  half: string
}

const simpleEscapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}
const words: Readonly<Record<string, unknown>> = { true: true, false: false, null: null }
const numberShape = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/**
 * Reads a JSON text that arrives in pieces and shows at any time the largest value that is certain: strings grow;
 * numbers, `true`, `false` and `null` appear when they are whole, keys with their values. The value is one object that
 * grows, not a new one each time, so that reading takes time in proportion to the text; copy it to keep a moment.
 */
export class PartialJson {
  #root: unknown
  #isDone = false
  #isBroken = false
  #open: Open[] = []
  #scalar: Scalar | undefined

  /** The value so far; `undefined` before anything is certain. */
  get value(): unknown {
    return this.#root
  }

  /** Whether the text was a whole JSON value. A number at its root is whole only when something follows it. */
  get isDone(): boolean {
    return this.#isDone
  }

  /** Whether the text can't be JSON any more; `value` stays as it was. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Reads on. Returns the value so far. */
  add(text: string): unknown {
    let at = 0
    while (at < text.length && !this.#isBroken) at = this.#read(text, at)
    const scalar = this.#scalar
    if (scalar?.kind === 'string') this.#place(scalar.text)
    return this.#root
  }

  /** Reads at least one character from `at` on; returns where to go on. */
  #read(text: string, at: number): number {
    const scalar = this.#scalar
    if (scalar === undefined) return this.#readStructure(text.charAt(at), at)
    return scalar.kind === 'word' ? this.#readWord(scalar, text, at) : this.#readString(scalar, text, at)
  }

  #readStructure(character: string, at: number): number {
    if (' \t\n\r'.includes(character)) return at + 1
    const top = this.#open.at(-1)
    if (top === undefined) {
      if (this.#isDone) this.#isBroken = true
      else this.#begin(character)
      return at + 1
    }
    const isArray = Array.isArray(top.value)
    const mayEnd = top.expects === 'first' || top.expects === 'comma'
    if (character === (isArray ? ']' : '}') && mayEnd) {
      this.#open.pop()
      this.#ended()
    } else if (top.expects === 'comma' && character === ',') top.expects = isArray ? 'value' : 'key'
    else if (top.expects === 'colon' && character === ':') top.expects = 'value'
    else if (top.expects === 'value' || (top.expects === 'first' && isArray)) this.#begin(character)
    else if ((top.expects === 'key' || top.expects === 'first') && !isArray && character === '"') {
      this.#scalar = { kind: 'key', text: '', escape: '', half: '' }
    } else this.#isBroken = true
    return at + 1
  }

  /** A value begins with this character. */
  #begin(character: string): void {
    if (character === '"') {
      this.#scalar = { kind: 'string', text: '', escape: '', half: '' }
      return
    }
    if (character === '{' || character === '[') {
      const value = character === '{' ? {} : []
      this.#place(value)
      this.#open.push({ value, key: undefined, expects: 'first' })
      return
    }
    if (/[-\dtfn]/.test(character)) this.#scalar = { kind: 'word', text: character, escape: '', half: '' }
    else this.#isBroken = true
  }

  #readWord(scalar: Scalar, text: string, from: number): number {
    let at = from
    while (at < text.length && /[-+.\w]/.test(text.charAt(at))) at++
    scalar.text += text.slice(from, at)
    if (scalar.text.length > 512) this.#isBroken = true
    if (at === text.length && !Object.hasOwn(words, scalar.text)) return at
    this.#scalar = undefined
    if (Object.hasOwn(words, scalar.text)) this.#place(words[scalar.text])
    else if (numberShape.test(scalar.text)) this.#place(Number(scalar.text))
    else this.#isBroken = true
    if (!this.#isBroken) this.#ended()
    return at
  }

  #readString(scalar: Scalar, text: string, from: number): number {
    if (scalar.escape !== '') {
      this.#readEscape(scalar, text.charAt(from))
      return from + 1
    }
    let at = from
    while (at < text.length && text.charAt(at) !== '"' && text.charAt(at) !== '\\' && text.charAt(at) >= ' ') at++
    if (at > from) this.#append(scalar, text.slice(from, at))
    if (at === text.length) return at
    const character = text.charAt(at)
    if (character === '\\') scalar.escape = '\\'
    else if (character === '"') this.#endString(scalar)
    else this.#isBroken = true
    return at + 1
  }

  #readEscape(scalar: Scalar, character: string): void {
    scalar.escape += character
    if (scalar.escape.length === 2) {
      if (character === 'u') return
      const meaning = Object.hasOwn(simpleEscapes, character) ? simpleEscapes[character] : undefined
      if (meaning === undefined) this.#isBroken = true
      else this.#append(scalar, meaning)
      scalar.escape = ''
      return
    }
    if (!/[\da-fA-F]/.test(character)) this.#isBroken = true
    if (scalar.escape.length < 6) return
    this.#append(scalar, String.fromCharCode(parseInt(scalar.escape.slice(2), 16)))
    scalar.escape = ''
  }

  /** Adds text, but keeps half a character back until its other half is there. */
  #append(scalar: Scalar, text: string): void {
    const whole = scalar.half + text
    const isHalf = /[\uD800-\uDBFF]$/.test(whole)
    scalar.text += isHalf ? whole.slice(0, -1) : whole
    scalar.half = isHalf ? whole.slice(-1) : ''
  }

  #endString(scalar: Scalar): void {
    scalar.text += scalar.half
    this.#scalar = undefined
    const top = this.#open.at(-1)
    if (scalar.kind === 'key' && top !== undefined) {
      top.key = scalar.text
      top.expects = 'colon'
      return
    }
    this.#place(scalar.text)
    this.#ended()
  }

  /** Puts a value, or a longer form of a string, where it belongs. */
  #place(value: unknown): void {
    const top = this.#open.at(-1)
    if (top === undefined) this.#root = value
    else if (!Array.isArray(top.value)) {
      // As JSON.parse does: a key such as __proto__ is data.
      Object.defineProperty(top.value, top.key ?? '', { value, writable: true, enumerable: true, configurable: true })
    } else if (top.key === undefined) {
      top.value.push(value)
      top.key = 'last'
    } else top.value[top.value.length - 1] = value
  }

  /** The value at hand is whole. */
  #ended(): void {
    const top = this.#open.at(-1)
    if (top === undefined) {
      this.#isDone = true
      return
    }
    top.expects = 'comma'
    top.key = undefined
  }
}
