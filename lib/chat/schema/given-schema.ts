import { invalidOption } from '../value.js'
import { unsupported } from './json-schema.js'

/** What a Standard Schema answers to `validate`: a value, or what is wrong with it. */
export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] }

/** One thing that is wrong with a value. */
export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/**
 * A schema of a validation library that implements Standard Schema and Standard JSON Schema: zod from 4.2 and arktype
 * from 2.1.28 as they are, valibot through `toStandardJsonSchema`.
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
    readonly validate?: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly jsonSchema?: { readonly input: (options: { readonly target: string }) => object }
  }
}

/** A plain JSON Schema of draft 2020-12 or 7; TypeBox makes such ones too. */
export type PlainSchema = Readonly<Record<string, unknown>>

/** What a caller may give as a schema. */
export type GivenSchema<Output = unknown> = StandardSchema<Output> | PlainSchema

/** A given schema as JSON text, and the library's own validation, if there is one. */
export interface ReadSchema {
  readonly text: string
  readonly standard: StandardSchema['~standard'] | undefined
}

/** Reads what the caller gave. Throws `ERR_OPTION_INVALID` or `ERR_SCHEMA_UNSUPPORTED`. */
export function readGivenSchema(given: unknown): ReadSchema {
  const isObject = (typeof given === 'object' && given !== null) || typeof given === 'function'
  if (!isObject || Array.isArray(given)) {
    throw invalidOption(
      'schema',
      'a JSON Schema as an object, or a Standard JSON Schema (zod, arktype, valibot)',
      given,
    )
  }
  const standard = (given as Partial<StandardSchema>)['~standard']
  if (standard === undefined && typeof given === 'function') {
    throw invalidOption(
      'schema',
      'a JSON Schema as an object, or a Standard JSON Schema (zod, arktype, valibot)',
      given,
    )
  }
  return { text: textOf(standard === undefined ? given : jsonSchemaOf(standard)), standard }
}

/** The model writes what goes into `validate`, so its input counts. */
function jsonSchemaOf(standard: StandardSchema['~standard']): object {
  if (typeof standard.jsonSchema?.input !== 'function') {
    throw unsupported(
      '',
      `this ${standard.vendor} schema does not tell its JSON Schema: use zod from 4.2, arktype from 2.1.28, valibot with ` +
        'toStandardJsonSchema, or give the JSON Schema itself',
    )
  }
  try {
    return standard.jsonSchema.input({ target: 'draft-2020-12' })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw unsupported('', `${standard.vendor} has no JSON Schema for it (${reason.slice(0, 512)})`)
  }
}

function textOf(schema: object): string {
  try {
    return JSON.stringify(schema)
  } catch {
    throw unsupported('', 'it is no JSON: it is nested without end or holds a value that JSON does not know')
  }
}
