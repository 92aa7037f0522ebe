import { invalidSource, quoted, unsupportedSource } from './fault.js'
import { limits } from './limits.js'

/** An object of a JSON document, with the name that messages give it. */
export class Fields {
  readonly #object: Readonly<Record<string, unknown>>
  readonly #name: string

  constructor(value: unknown, name: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw invalidSource(`${name} is ${kindOf(value)}; an object was expected.`)
    }
    this.#object = value as Readonly<Record<string, unknown>>
    this.#name = name
  }

  /** What messages call it, such as `'config.json'`. */
  get name(): string {
    return this.#name
  }

  keys(): string[] {
    return Object.keys(this.#object)
  }

  entries(): [string, unknown][] {
    return Object.entries(this.#object)
  }

  /** The value as it stands there; `undefined` if there is none or it is null. */
  raw(key: string): unknown {
    return Object.hasOwn(this.#object, key) ? (this.#object[key] ?? undefined) : undefined
  }

  string(key: string): string | undefined {
    return this.#typed(key, 'a string', (value): value is string => typeof value === 'string')
  }

  boolean(key: string): boolean | undefined {
    return this.#typed(key, 'true or false', (value): value is boolean => typeof value === 'boolean')
  }

  number(key: string): number | undefined {
    return this.#typed(key, 'a number', (value): value is number => typeof value === 'number' && Number.isFinite(value))
  }

  /** A whole number of a range. */
  integer(key: string, least = 0, most = 2 ** 31 - 1): number | undefined {
    return this.#typed(
      key,
      `a whole number from ${least} to ${most}`,
      (value): value is number => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
    )
  }

  array(key: string): readonly unknown[] | undefined {
    return this.#typed(key, 'an array', (value): value is unknown[] => Array.isArray(value))
  }

  numbers(key: string): readonly number[] | undefined {
    return this.#typed(
      key,
      'an array of numbers',
      (value): value is number[] => Array.isArray(value) && value.every((item) => Number.isFinite(item)),
    )
  }

  object(key: string): Fields | undefined {
    const value = this.raw(key)
    return value === undefined ? undefined : new Fields(value, `${quoted(key)} in ${this.#name}`)
  }

  /** The value, or the fault that the key is missing. */
  required<Value>(key: string, value: Value | undefined): Value {
    if (value === undefined) throw invalidSource(`${quoted(key)} is missing in ${this.#name}.`, { key })
    return value
  }

  /** Refuses a value of the key that the family does not compute with. */
  onlyAllow(key: string, allowed: readonly (string | number | boolean | undefined)[]): void {
    const found = this.raw(key)
    if (allowed.includes(found as string)) return
    const shown =
      typeof found === 'string' ? quoted(found) : found === undefined ? 'missing' : JSON.stringify(found).slice(0, 80)
    const wanted = allowed.map((value) => (value === undefined ? 'nothing' : JSON.stringify(value))).join(' or ')
    throw unsupportedSource(`${quoted(key)} in ${this.#name} is ${shown}; llama.cpp computes with ${wanted}.`, { key })
  }

  /** These fields, and behind them those of another object that they lack. */
  over(other: Fields): Fields {
    return new Fields({ ...other.#object, ...this.#object }, this.#name)
  }

  #typed<Value>(key: string, expected: string, fits: (value: unknown) => value is Value): Value | undefined {
    const value = this.raw(key)
    if (value === undefined || fits(value)) return value
    throw invalidSource(`${quoted(key)} in ${this.#name} is ${kindOf(value)}; ${expected} was expected.`, { key })
  }
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'missing'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' ? quoted(value) : `of type ${typeof value}`
}

/** Parses a document after its nesting was counted, so that no depth reaches a recursive reader. */
export function parseJson(bytes: Buffer, name: string): unknown {
  checkDepth(bytes, name)
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch (cause) {
    throw invalidSource(`${name} is no JSON; the download may have failed, so fetch it again.`, {}, cause)
  }
}

const quote = 0x22
const backslash = 0x5c

function checkDepth(bytes: Buffer, name: string): void {
  let depth = 0
  let inString = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (inString) {
      if (byte === backslash) at++
      else if (byte === quote) inString = false
    } else if (byte === quote) inString = true
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > limits.jsonDepth) {
        throw invalidSource(`${name} nests objects and arrays deeper than ${limits.jsonDepth}.`)
      }
    } else if (byte === 0x7d || byte === 0x5d) depth--
  }
}
