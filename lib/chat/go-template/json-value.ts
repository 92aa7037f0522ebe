import { LlameroError } from '../../errors.js'
import { describeValue } from '../value.js'
import { wellFormed } from '../well-formed.js'
import { templateLimits } from './limits.js'
import {
  anyList,
  anyMap,
  boolValue,
  floatValue,
  mapValue,
  nil,
  stringValue,
  type GoType,
  type GoValue,
} from './value.js'

/**
 * A value as of JSON, as Go decodes it: numbers are floats, and only an object's own keys are read. Nothing of it is
 * trusted.
 *
 * @param name what it is, for errors
 * Errors: `ERR_OPTION_INVALID` for what JSON cannot hold, `ERR_TEMPLATE` for more levels than templates may have.
 */
export function jsonValue(value: unknown, name: string, depth = 0): GoValue {
  if (depth > templateLimits.depth) {
    throw new LlameroError(
      'ERR_TEMPLATE',
      `${name} has more than ${templateLimits.depth} levels, which no template is given; flatten it.`,
      { details: { name } },
    )
  }
  if (value === null || value === undefined) return nil
  if (typeof value === 'string') return stringValue(wellFormed(value), false)
  if (typeof value === 'boolean') return boolValue(value, false)
  if (typeof value === 'number' && Number.isFinite(value)) return floatValue(value, false)
  if (Array.isArray(value)) {
    const items = Array.from(value as readonly unknown[], (item) => jsonValue(item, name, depth + 1))
    return { kind: 'list', type: anyList, items }
  }
  if (typeof value === 'object') return jsonMap(value, name, anyMap, depth)
  throw new LlameroError('ERR_OPTION_INVALID', `"${name}" must hold what JSON can hold; got ${describeValue(value)}.`, {
    details: { option: name, got: describeValue(value) },
  })
}

/** An object as a map of a type; keys whose value is undefined are left out, as in JSON. */
export function jsonMap(value: object, name: string, type: GoType, depth = 0): GoValue {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return mapValue(
    type,
    entries.map(([key, item]) => [wellFormed(key), jsonValue(item, name, depth + 1)] as const),
  )
}
