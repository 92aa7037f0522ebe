import { format as formats, Validator } from '@cfworker/json-schema'
import { LlameroError } from '../../errors.js'
import type { StandardIssue, StandardSchema } from './given-schema.js'
import { below, type JsonSchema, type SubSchema } from './json-schema.js'
import { parsePattern, PatternError } from './pattern.js'
import { patternMatcher } from './pattern-matcher.js'

/** Reads a model's answer as what the schema describes: the value, or `ERR_OUTPUT_INVALID`. */
export type AnswerReader = (text: string) => Promise<unknown>

/**
 * A reader of answers. The JSON must meet the schema, and then what the schema's own library says, whose output is the
 * value. An answer that is cut off, or does not meet them, rejects with `ERR_OUTPUT_INVALID`; `details.text` keeps it.
 */
export function answerReader(schema: SubSchema, standard: StandardSchema['~standard'] | undefined): AnswerReader {
  const check = schemaCheck(schema)
  return async (text) => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      throw invalidOutput(
        text,
        'it is no JSON; if it was cut off, raise maxTokens or bound strings and arrays',
        [],
        cause,
      )
    }
    const fault = check(value)
    if (fault !== undefined) throw invalidOutput(text, fault.reason, [fault])
    const result = await standard?.validate?.(value)
    if (result === undefined) return value
    if (result.issues === undefined) return result.value
    const issues = result.issues.map(({ message, path = [] }) => ({ pointer: pointerOf(path), reason: message }))
    throw invalidOutput(text, issues[0]?.reason ?? 'its own validation refused it', issues)
  }
}

/** Where an answer does not meet the schema, and why. */
export interface OutputFault {
  /** JSON pointer into the answer. */
  readonly pointer: string
  readonly reason: string
}

function invalidOutput(text: string, reason: string, faults: readonly OutputFault[], cause?: unknown): LlameroError {
  const [first] = faults
  const place = first === undefined || first.pointer === '' ? '' : ` at ${first.pointer}`
  return new LlameroError('ERR_OUTPUT_INVALID', `The answer does not meet the schema${place}: ${reason}.`, {
    details: { text, faults },
    cause,
  })
}

function pointerOf(path: NonNullable<StandardIssue['path']>): string {
  return below('', ...path.map((step) => String(typeof step === 'object' ? step.key : step)))
}

type SchemaCheck = (value: unknown) => OutputFault | undefined

/**
 * The check of a JSON Schema by `@cfworker/json-schema`, which interprets the schema and never generates code. Patterns
 * are ours: it would hand them to the engine's expressions, on which a text of thirty characters can take minutes. It
 * sees each as a format, which stands in its table while it runs.
 */
function schemaCheck(schema: SubSchema): SchemaCheck {
  const matchers = new Map<string, (text: string) => boolean>()
  const prepared = withoutPatterns(schema, (pattern) => {
    const name = `llamero pattern ${pattern}`
    if (!matchers.has(name)) {
      const matcher = matcherOf(pattern)
      if (matcher === undefined) return undefined
      matchers.set(name, matcher)
    }
    return name
  })
  const validator = new Validator(prepared as never, '2020-12')
  return (value) => {
    for (const [name, matches] of matchers) formats[name] = matches
    try {
      const { valid, errors } = validator.validate(value)
      const [error] = errors.slice(-1)
      if (valid) return undefined
      return { pointer: error?.instanceLocation.slice(1) ?? '', reason: reasonOf(error?.error ?? 'it does not') }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return { pointer: '', reason: 'it is nested too deep' }
    } finally {
      for (const name of matchers.keys()) Reflect.deleteProperty(formats, name)
    }
  }
}

function reasonOf(message: string): string {
  return message.replace(/format "llamero pattern (.*)"\.?$/s, 'the pattern $1').replace(/\.$/, '')
}

/** `undefined` for what can't be followed: shaping refused it, or left it to the schema's own library. */
function matcherOf(pattern: string): ((text: string) => boolean) | undefined {
  try {
    return patternMatcher(parsePattern(pattern))
  } catch (error) {
    if (error instanceof PatternError) return undefined
    throw error
  }
}

/** The schema with `format: name(pattern)` in place of every pattern. */
function withoutPatterns(schema: SubSchema, name: (pattern: string) => string | undefined): SubSchema {
  if (typeof schema === 'boolean') return schema
  const entries = Object.entries(schema).map(([keyword, value]: [string, unknown]) => {
    if (lists.has(keyword)) return [keyword, (value as SubSchema[]).map((each) => withoutPatterns(each, name))]
    if (maps.has(keyword)) {
      const inner = Object.entries(value as Record<string, SubSchema>)
      return [keyword, Object.fromEntries(inner.map(([key, each]) => [key, withoutPatterns(each, name)]))]
    }
    return [keyword, singles.has(keyword) ? withoutPatterns(value as SubSchema, name) : value]
  })
  const { pattern, ...rest } = Object.fromEntries(entries) as JsonSchema
  const format = pattern === undefined ? undefined : name(pattern)
  return format === undefined ? rest : { ...rest, allOf: [...(rest.allOf ?? []), { format }] }
}

const lists = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const maps = new Set(['properties', 'dependentSchemas', '$defs', 'definitions'])
const singles = new Set([
  'not',
  'if',
  'then',
  'else',
  'additionalProperties',
  'propertyNames',
  'unevaluatedProperties',
  'items',
  'contains',
  'unevaluatedItems',
])
