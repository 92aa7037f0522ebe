import { LlameroError } from '../errors.js'

/** A value as an error message shows it: its kind and, if short, itself. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `an array of ${value.length}`
  switch (typeof value) {
    case 'string':
      return value.length <= 40 ? `the string ${JSON.stringify(value)}` : `a string of ${value.length} characters`
    case 'bigint':
      return 'a bigint'
    case 'object':
      return 'an object'
    case 'function':
      return 'a function'
    case 'symbol':
      return 'a symbol'
    case 'number':
    case 'boolean':
      return String(value)
    default:
      return 'undefined'
  }
}

/** The error for an option, argument or message field of the wrong type or range. */
export function invalidOption(option: string, expected: string, value: unknown): LlameroError {
  const got = describeValue(value)
  return new LlameroError('ERR_OPTION_INVALID', `"${option}" must be ${expected}; got ${got}.`, {
    details: { option, expected, got },
  })
}

/** The error for a field that nothing reads. */
export function unknownField(owner: string, field: string, known: readonly string[]): LlameroError {
  const expected = known.join(', ')
  return new LlameroError(
    'ERR_OPTION_INVALID',
    `${owner} may have the fields ${expected}; got ${describeValue(field)} as another field.`,
    { details: { option: `${owner}.${field}`, expected, got: field } },
  )
}
