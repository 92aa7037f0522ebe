import { LlameroError } from '../errors.js'
import { jsonValue, parseObject, type JsonObject } from './json.js'
import { relaxedWarnings } from './relaxed-warnings.js'
import { prepareSchema, type SchemaConverter, type StandardResult, type StandardSchema } from './schema/index.js'
import type { Schema } from './schema-output.js'
import { invalidOption } from './value.js'

/** What the calls of a tool are held to, and checked by. */
export interface ToolParameters {
  /** As the model is told, and as grammars are made of it. */
  readonly shown: JsonObject
  /** Reads the arguments of a call from their JSON text. Rejects with `ERR_OUTPUT_INVALID`. */
  readonly validate: (text: string) => Promise<unknown>
  /** What of the schema does not bind the model. */
  readonly warnings: readonly string[]
}

const anyObject: JsonObject = { type: 'object' }

/**
 * The parameters of a tool from the schema that was given. One that no grammar can be made of makes a tool whose calls
 * are any objects, so that it does not take the others with it. Throws `ERR_OPTION_INVALID` for what is no schema of an
 * object.
 */
export function toolParameters(given: unknown, at: string, convert: SchemaConverter): ToolParameters {
  try {
    const { json, relaxed, validate } = prepareSchema(given as Schema, convert)
    const schema = json as JsonObject
    if (schema['type'] !== 'object') throw notOfAnObject(at, given)
    return { shown: convertible(schema, convert), validate, warnings: relaxedWarnings(at, relaxed) }
  } catch (cause) {
    if (!(cause instanceof LlameroError)) throw cause
    if (cause.code === 'ERR_SCHEMA_UNSUPPORTED') return unchecked(given, at, cause)
    throw new LlameroError(cause.code, `"${at}": ${cause.message}`, {
      cause,
      details: { ...cause.details, option: at },
    })
  }
}

function unchecked(given: unknown, at: string, { message }: LlameroError): ToolParameters {
  const own = (given as Partial<StandardSchema>)['~standard']?.validate
  if (own !== undefined) {
    const warnings = [`${at}: ${message} The tool's calls are any objects; they are checked.`]
    return { shown: anyObject, validate: async (text) => checked(await own(parseObject(text) ?? {})), warnings }
  }
  const type = (given as Readonly<Record<string, unknown>>)['type']
  if (type !== undefined && type !== 'object') throw notOfAnObject(at, given)
  return {
    shown: anyObject,
    validate: async (text) => parseObject(text) ?? {},
    warnings: [`${at}: ${message} The tool's calls are any objects, and are not checked.`],
  }
}

function checked(result: StandardResult<unknown>): unknown {
  if (result.issues === undefined) return result.value
  throw new LlameroError('ERR_OUTPUT_INVALID', result.issues.map(({ message }) => message).join(' '))
}

/** llama.cpp makes its own grammar of what templates show, and refuses some schemas. */
function convertible(schema: JsonObject, convert: SchemaConverter): JsonObject {
  try {
    convert(JSON.stringify(schema))
    return jsonValue(schema) as JsonObject
  } catch {
    return anyObject
  }
}

function notOfAnObject(at: string, given: unknown): LlameroError {
  return invalidOption(at, 'the schema of an object', given)
}
