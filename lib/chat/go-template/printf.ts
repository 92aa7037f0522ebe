import { formatPlain, formatValue, type Sink } from './format-value.js'
import { Refusal } from './fault.js'
import type { Fuel } from './fuel.js'
import { textOf, sinkOf } from './print.js'
import { isTrusted, stringOfRuns, typeName, type GoString, type GoValue } from './value.js'
import { plainVerb, type Verb } from './verb.js'

/** `printf`, with Go's verbs, flags, widths, precisions and indexes of arguments, and Go's complaints inside the text. */
export function formatted(format: GoValue, values: readonly GoValue[], fuel: Fuel): GoValue {
  if (format.kind !== 'string') {
    throw new Refusal(`wrong type for value; expected string; got ${typeName(format)} (the format of printf)`)
  }
  return stringOfRuns(textOf(fuel, (builder) => new Formatter(format, values, sinkOf(builder, fuel)).run()))
}

/** The greatest width or precision before another digit is too much. */
const mostNumber = 1_000_000

const stepsPerVerb = 8

type Flags = { -readonly [Name in keyof Verb]: Verb[Name] }

class Formatter {
  readonly #format: string
  /** Where the last index of an argument ends: behind it nothing has to be searched. */
  readonly #lastClose: number
  readonly #isTrusted: boolean
  readonly #values: readonly GoValue[]
  readonly #sink: Sink
  #at = 0
  /** The argument that comes next. */
  #next = 0
  #isGoodIndex = true
  #isReordered = false

  constructor(format: GoString, values: readonly GoValue[], sink: Sink) {
    this.#format = format.text
    this.#lastClose = format.text.lastIndexOf(']')
    this.#isTrusted = isTrusted(format)
    this.#values = values
    this.#sink = sink
  }

  run(): void {
    const format = this.#format
    while (this.#at < format.length) {
      const found = format.indexOf('%', this.#at)
      const end = found < 0 ? format.length : found
      this.#say(format.slice(this.#at, end))
      this.#at = end + 1
      this.#isGoodIndex = true
      if (end < format.length) this.#verb()
    }
    if (!this.#isReordered && this.#next < this.#values.length) this.#extra()
  }

  #verb(): void {
    this.#sink.fuel.spend(stepsPerVerb)
    const flags: Flags = { ...plainVerb }
    this.#flags(flags)
    const isBeforeWidth = this.#index()
    const isBeforePoint = this.#width(flags, isBeforeWidth)
    const isBeforeVerb = this.#precision(flags, isBeforePoint)
    if (!isBeforeVerb) this.#index()
    const code = this.#format.codePointAt(this.#at)
    if (code === undefined) return this.#say('%!(NOVERB)')
    const letter = String.fromCodePoint(code)
    this.#at += letter.length
    if (letter === '%') return this.#say('%')
    if (!this.#isGoodIndex) return this.#say(`%!${letter}(BADINDEX)`)
    const value = this.#values[this.#next]
    if (value === undefined) return this.#say(`%!${letter}(MISSING)`)
    this.#next += 1
    const isPlain = letter === 'v'
    formatValue(
      value,
      {
        ...flags,
        letter,
        syntax: isPlain && flags.sharp,
        names: isPlain && flags.plus,
        sharp: flags.sharp && !isPlain,
        plus: flags.plus && !isPlain,
      },
      this.#sink,
    )
  }

  #flags(flags: Flags): void {
    const names = { '#': 'sharp', '0': 'zero', '+': 'plus', '-': 'minus', ' ': 'space' } as const
    for (;;) {
      const sign = this.#format[this.#at] ?? ''
      if (sign !== '#' && sign !== '0' && sign !== '+' && sign !== '-' && sign !== ' ') return
      flags[names[sign]] = true
      this.#at += 1
    }
  }

  /** Reads a width, if one stands here. Takes and gives whether an index was the last that was read. */
  #width(flags: Flags, isAfterIndex: boolean): boolean {
    if (this.#format[this.#at] !== '*') {
      flags.width = this.#number()
      if (isAfterIndex && flags.width !== undefined) this.#isGoodIndex = false
      return isAfterIndex
    }
    this.#at += 1
    const width = this.#numberArgument()
    if (width === undefined) this.#say('%!(BADWIDTH)')
    else if (width < 0) {
      flags.minus = true
      flags.zero = false
    }
    flags.width = width === undefined ? undefined : Math.abs(width)
    return false
  }

  /** Reads a precision, as {@link Formatter.#width} reads a width. */
  #precision(flags: Flags, isAfterIndex: boolean): boolean {
    if (this.#format[this.#at] !== '.') return isAfterIndex
    this.#at += 1
    if (isAfterIndex) this.#isGoodIndex = false
    const isBeforeDigits = this.#index()
    if (this.#format[this.#at] !== '*') {
      flags.precision = this.#number() ?? 0
      return isBeforeDigits
    }
    this.#at += 1
    const precision = this.#numberArgument()
    const isGood = precision !== undefined && precision >= 0
    if (!isGood) this.#say('%!(BADPREC)')
    flags.precision = isGood ? precision : undefined
    return false
  }

  /** Digits that stand here. Too large a number swallows the rest of the format, as in Go. */
  #number(): number | undefined {
    let value: number | undefined
    for (;;) {
      const digit = this.#format[this.#at] ?? ''
      if (digit < '0' || digit > '9' || digit === '') return value
      if ((value ?? 0) > mostNumber) {
        this.#at = this.#format.length
        return undefined
      }
      value = 10 * (value ?? 0) + Number(digit)
      this.#at += 1
    }
  }

  #numberArgument(): number | undefined {
    const value = this.#values[this.#next]
    if (value === undefined) return undefined
    this.#next += 1
    if (value.kind !== 'int' || value.value > mostNumber || value.value < -mostNumber) return undefined
    return Number(value.value)
  }

  /** Reads an index such as `[3]`, if one stands here; whether it is one. */
  #index(): boolean {
    if (this.#format[this.#at] !== '[') return false
    this.#isReordered = true
    const close = this.#at > this.#lastClose ? -1 : this.#format.indexOf(']', this.#at)
    if (close < 0 || this.#format.length - this.#at < 3) {
      this.#isGoodIndex = false
      this.#at += 1
      return false
    }
    const text = this.#format.slice(this.#at + 1, close)
    this.#at = close + 1
    const index = /^\d{1,7}$/.test(text) ? Number(text) - 1 : -1
    if (index >= 0 && index < this.#values.length) {
      this.#next = index
      return true
    }
    this.#isGoodIndex = false
    return /^\d{1,7}$/.test(text)
  }

  #extra(): void {
    this.#say('%!(EXTRA ')
    for (const [index, value] of this.#values.slice(this.#next).entries()) {
      if (index > 0) this.#say(', ')
      if (value.kind === 'missing' || value.kind === 'nil') {
        this.#say('<nil>')
        continue
      }
      this.#say(`${typeName(value)}=`)
      formatPlain(value, this.#sink)
    }
    this.#say(')')
  }

  #say(text: string): void {
    this.#sink.write(text, this.#isTrusted)
  }
}
