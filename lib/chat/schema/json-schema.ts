import { LlameroError } from '../../errors.js'
import type { JsonValue } from '../json.js'

/** The types that JSON Schema tells apart; every integer is a number too. */
export const typeNames = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'] as const

/** One of {@link typeNames}. */
export type TypeName = (typeof typeNames)[number]

/** A schema as `checkSchema` leaves it: only keywords that say something about the value, each with a value of its kind. */
export interface JsonSchema {
  readonly $ref?: string
  readonly type?: TypeName | readonly TypeName[]
  readonly enum?: readonly JsonValue[]
  readonly const?: JsonValue
  readonly allOf?: readonly SubSchema[]
  readonly anyOf?: readonly SubSchema[]
  readonly oneOf?: readonly SubSchema[]
  readonly not?: SubSchema
  readonly if?: SubSchema
  readonly then?: SubSchema
  readonly else?: SubSchema
  readonly properties?: Readonly<Record<string, SubSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: SubSchema
  readonly propertyNames?: SubSchema
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly dependentRequired?: Readonly<Record<string, readonly string[]>>
  readonly dependentSchemas?: Readonly<Record<string, SubSchema>>
  readonly unevaluatedProperties?: SubSchema
  readonly items?: SubSchema
  readonly prefixItems?: readonly SubSchema[]
  readonly minItems?: number
  readonly maxItems?: number
  readonly uniqueItems?: boolean
  readonly contains?: SubSchema
  readonly minContains?: number
  readonly maxContains?: number
  readonly unevaluatedItems?: SubSchema
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
  readonly $defs?: Readonly<Record<string, SubSchema>>
  readonly definitions?: Readonly<Record<string, SubSchema>>
}

/** A schema, or whether anything (`true`) or nothing (`false`) goes. */
export type SubSchema = JsonSchema | boolean

/** A keyword that the grammar does not hold; results are checked against it. */
export interface RelaxedKeyword {
  /** JSON pointer of the schema that it stands in; `''` is the whole. */
  readonly pointer: string
  /** Such as `uniqueItems`. */
  readonly keyword: string
}

/** `pointer` and one more step, as a JSON pointer. */
export function below(pointer: string, ...steps: (string | number)[]): string {
  return steps.reduce<string>(
    (path, step) => `${path}/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`,
    pointer,
  )
}

/** The error for a schema that can't be followed: where and why. */
export function unsupported(pointer: string, reason: string): LlameroError {
  const place = pointer === '' ? 'at its root' : `at ${pointer.length <= 200 ? pointer : `${pointer.slice(0, 200)}…`}`
  return new LlameroError('ERR_SCHEMA_UNSUPPORTED', `The schema can't be used ${place}: ${reason}.`, {
    details: { pointer, reason },
  })
}
