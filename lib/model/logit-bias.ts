import { invalidOption } from '../chat/index.js'
import type { OptionRule } from './option-rule.js'

/** Token ids and what is added to their scores, as two columns. */
export interface LogitBias {
  readonly tokens: Int32Array
  readonly values: Float32Array
}

const maxEntries = 1024
const maxBias = 1000

/** The rule of an option that maps token ids to numbers: an object with ids as keys, or a `Map`. */
export function logitBias(doc: string): OptionRule<LogitBias> {
  const range = `an object or Map from token ids to numbers from -${maxBias} to ${maxBias}, up to ${maxEntries} of them`
  return {
    unit: '',
    range,
    default: { tokens: new Int32Array(0), values: new Float32Array(0) },
    doc,
    read(value, name, { vocabularySize }) {
      const entries = entriesOf(value)
      if (entries === undefined || entries.length > maxEntries) throw invalidOption(name, range, value)
      const tokens = entries.map(([key]) => {
        if (!isTokenId(key, vocabularySize)) {
          throw invalidOption(name, `keyed by token ids from 0 to ${vocabularySize - 1}`, key)
        }
        return Number(key)
      })
      const values = entries.map(([key, bias]) => {
        if (typeof bias !== 'number' || !(Math.abs(bias) <= maxBias)) {
          throw invalidOption(`${name}[${String(key)}]`, `a number from -${maxBias} to ${maxBias}`, bias)
        }
        return bias
      })
      return { tokens: Int32Array.from(tokens), values: Float32Array.from(values) }
    },
  }
}

function entriesOf(value: unknown): readonly (readonly [unknown, unknown])[] | undefined {
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.entries(value)
}

function isTokenId(key: unknown, vocabularySize: number): boolean {
  const id = typeof key === 'string' && /^(0|[1-9][0-9]{0,9})$/.test(key) ? Number(key) : key
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabularySize
}
