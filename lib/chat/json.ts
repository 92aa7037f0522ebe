import { wellFormed } from './well-formed.js'

/** What JSON can hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject

/** An object of JSON. */
export interface JsonObject {
  readonly [name: string]: JsonValue
}

/**
 * A copy of a value that holds nothing but JSON, as `JSON.stringify` sees it. A key `__proto__` stays a key. Throws a
 * `TypeError` for what JSON can't write.
 */
export function jsonValue(value: unknown): JsonValue {
  const text = JSON.stringify(value) as string | undefined
  return text === undefined ? null : (JSON.parse(text, wellFormedStrings) as JsonValue)
}

/** The object that a text is, or nothing where it is none. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text, wellFormedStrings) as JsonValue
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}

/** Half an emoji is valid JSON as an escape, but no text that a template may get. */
function wellFormedStrings(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? wellFormed(value) : value
}
