import type { GivenSchema, StandardSchema } from './schema/index.js'

/** A Standard Schema with a JSON Schema (zod, arktype, valibot), or a plain JSON Schema. */
export type Schema = GivenSchema

/** What a value is that a schema has let pass; unknown for a plain JSON Schema. */
export type SchemaOutput<Given> = Given extends StandardSchema<infer Output> ? Output : unknown
