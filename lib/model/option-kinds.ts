import { invalidOption, wellFormed } from '../chat/index.js'
import { type Limits, type OptionRule, type OptionTable, type OptionValues, readOptions } from './option-rule.js'

interface About<Value> {
  readonly default: Value
  readonly doc: string
  readonly unit?: string
}

/** What a rule takes over of what it is told; rows of the table of parameters say more. */
function described<Value>({ unit = '', default: standard, doc }: About<Value>): Required<About<Value>> {
  return { unit, default: standard, doc }
}

interface NumberAbout<Value> extends About<Value> {
  readonly min: number
  /** A number, or the context size of the model. */
  readonly max: number | 'contextSize'
}

/** A finite number within bounds. */
export function number<Value extends number | undefined>(about: NumberAbout<Value>): OptionRule<number | Value> {
  return numeric(about, 'a number', Number.isFinite)
}

/** A whole number within bounds. */
export function integer<Value extends number | undefined>(about: NumberAbout<Value>): OptionRule<number | Value> {
  return numeric(about, 'a whole number', Number.isSafeInteger)
}

function numeric<Value>(
  { min, max, ...about }: NumberAbout<Value>,
  noun: string,
  isKind: (value: unknown) => boolean,
): OptionRule<number | Value> {
  const range = `${noun} from ${min} to ${max === 'contextSize' ? 'the context size' : max}`
  return {
    ...described(about),
    range,
    read(value, name, limits) {
      const highest = max === 'contextSize' ? limits.contextSize : max
      if (typeof value !== 'number' || !isKind(value) || value < min || value > highest) {
        throw invalidOption(name, max === 'contextSize' ? `${range} (${highest})` : range, value)
      }
      return value
    },
  }
}

export function boolean(about: About<boolean>): OptionRule<boolean> {
  return rule(about, 'true or false', (value): value is boolean => typeof value === 'boolean')
}

export function oneOf<Value extends string>(values: readonly Value[], about: About<Value>): OptionRule<Value> {
  return rule(about, `one of ${values.join(', ')}`, (value): value is Value => values.includes(value as Value))
}

/** Well-formed text of bounded length. */
export function text({ maxBytes, ...about }: About<string> & { readonly maxBytes: number }): OptionRule<string> {
  return rule(about, `a string of up to ${maxBytes} bytes`, (value): value is string => {
    return typeof value === 'string' && Buffer.byteLength(value) <= maxBytes && value === wellFormed(value)
  })
}

/** The path of a folder. */
export function folder(doc: string): OptionRule<string | undefined> {
  return rule<string | undefined>({ default: undefined, doc }, 'the path of a folder', (value): value is string => {
    return typeof value === 'string' && value !== '' && !value.includes('\0')
  })
}

export function callback<Value extends (...args: never[]) => unknown>(
  about: About<Value | undefined>,
): OptionRule<Value | undefined> {
  return rule(about, 'a function', (value): value is Value => typeof value === 'function')
}

export function abortSignal(doc: string): OptionRule<AbortSignal | undefined> {
  const about = { default: undefined, doc }
  return rule<AbortSignal | undefined>(about, 'an AbortSignal', (value): value is AbortSignal => {
    const signal = value as Partial<AbortSignal> | null
    return (
      typeof signal === 'object' &&
      typeof signal?.aborted === 'boolean' &&
      typeof signal.addEventListener === 'function'
    )
  })
}

function rule<Value>(
  about: About<Value>,
  range: string,
  accepts: (value: unknown) => value is Value,
): OptionRule<Value> {
  return {
    ...described(about),
    range,
    read(value, name) {
      if (!accepts(value)) throw invalidOption(name, range, value)
      return value
    },
  }
}

/** One string or a list of them, each of 1 to `maxBytes` bytes of UTF-8. */
export function strings(
  about: About<readonly string[]> & { readonly maxCount: number; readonly maxBytes: number },
): OptionRule<readonly string[]> {
  const { maxCount, maxBytes, ...others } = about
  const range = `a string or up to ${maxCount} strings, each of 1 to ${maxBytes} bytes`
  return {
    ...described(others),
    range,
    read(value, name) {
      const list: readonly unknown[] = typeof value === 'string' ? [value] : Array.isArray(value) ? value : [undefined]
      const fits = (text: unknown): text is string =>
        typeof text === 'string' && text.length > 0 && Buffer.byteLength(wellFormed(text)) <= maxBytes
      if (list.length > maxCount) throw invalidOption(name, range, value)
      return Array.from(list, (text, index) => {
        if (!fits(text))
          throw invalidOption(
            Array.isArray(value) ? `${name}[${index}]` : name,
            range,
            Array.isArray(value) ? text : value,
          )
        return wellFormed(text)
      })
    },
  }
}

/** A group of options that is off unless it is given; `{}` turns it on with its defaults. */
export function group<Table extends OptionTable>(
  table: Table,
  doc: string,
): OptionRule<OptionValues<Table> | undefined> {
  return {
    unit: '',
    range: `an object with ${Object.keys(table).join(', ')}`,
    default: undefined,
    doc,
    read: (value: unknown, name: string, limits: Limits) => readOptions(table, value, limits, name),
  }
}
