import { checkSchema } from './check-schema.js'
import { type GivenSchema, readGivenSchema } from './given-schema.js'
import { shapeOf } from './grammar-shape.js'
import { grammarSource, type SchemaConverter } from './grammar-source.js'
import type { RelaxedKeyword } from './json-schema.js'
import { answerReader, type AnswerReader } from './validation.js'

/** A schema that is ready for a request. */
export interface PreparedSchema {
  /** The JSON Schema, for prompts and tools. */
  readonly json: object
  /** What the model's answer is held to, in GBNF. */
  readonly grammarSource: string
  /** What the grammar does not hold; `validate` does. */
  readonly relaxed: readonly RelaxedKeyword[]
  /** Reads an answer: its value, or rejects with `ERR_OUTPUT_INVALID`. */
  readonly validate: AnswerReader
}

/**
 * Turns a schema into a grammar for the answer and a check of it. There is always a grammar: what it can't hold is
 * listed in `relaxed`, and a schema that can't be followed is refused.
 * Throws `ERR_OPTION_INVALID` for what is no schema, `ERR_SCHEMA_UNSUPPORTED` for one that exceeds the limits, is
 * malformed or can't be met.
 */
export function prepareSchema(given: GivenSchema, convert: SchemaConverter): PreparedSchema {
  const { text, standard } = readGivenSchema(given)
  const schema = checkSchema(text)
  const shaped = shapeOf(schema, standard?.validate !== undefined)
  return {
    json: JSON.parse(text) as object,
    grammarSource: grammarSource(shaped, convert),
    relaxed: shaped.relaxed,
    validate: answerReader(schema, standard),
  }
}

/** As {@link prepareSchema}, for any JSON object: `format: "json"` of Ollama, `json_object` of OpenAI. */
export function prepareJson(convert: SchemaConverter): PreparedSchema {
  return prepareSchema({ type: 'object' }, convert)
}
