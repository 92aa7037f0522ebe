import { invalidOption, type SchemaConverter } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import { nearestName } from './nearest.js'

/** What the bounds of some options depend on. */
export interface Limits {
  /** Tokens that one request's prompt and answer may have together. */
  readonly contextSize: number
  readonly vocabularySize: number
  /** How schemas become grammars; absent where no option asks for it. */
  readonly convertSchema?: SchemaConverter | undefined
}

/** How schemas become grammars, where that is known. */
export function converterOf({ convertSchema }: Limits): SchemaConverter {
  if (convertSchema !== undefined) return convertSchema
  throw new LlameroError('ERR_INTERNAL', 'A schema was given where none can be read.')
}

/** One row of an option table: what it means and how a given value is checked. */
export interface OptionRule<Value> {
  /** What the number counts; '' where there is nothing to count. */
  readonly unit: string
  /** The allowed values in words. */
  readonly range: string
  readonly default: Value
  /** One sentence for people. */
  readonly doc: string
  /** The checked value; throws `ERR_OPTION_INVALID` naming the option, what was expected and what was got. */
  read(value: unknown, name: string, limits: Limits): Value
}

// A table holds rules of many value types; each is read back by its own key.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type OptionTable = Readonly<Record<string, OptionRule<any>>>

/** The values behind a table: every option present, defaults filled in. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionRule<infer Value> ? Value : never
}

/** Checks a caller's options against a table and fills in the defaults; `undefined` counts as absent. */
export function readOptions<Table extends OptionTable>(
  table: Table,
  given: unknown,
  limits: Limits,
  owner = '',
): OptionValues<Table> {
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given))) {
    throw invalidOption(owner === '' ? 'options' : owner, 'an object', given)
  }
  const values: Record<string, unknown> = {}
  for (const [name, rule] of Object.entries(table)) values[name] = rule.default
  const prefix = owner === '' ? '' : `${owner}.`
  for (const [name, value] of Object.entries(given ?? {})) {
    const rule = Object.hasOwn(table, name) ? table[name] : undefined
    if (rule === undefined) throw unknownOption(prefix, name, Object.keys(table))
    if (value !== undefined) values[name] = rule.read(value, prefix + name, limits)
  }
  return values as OptionValues<Table>
}

function unknownOption(prefix: string, name: string, known: readonly string[]): LlameroError {
  const nearest = nearestName(name, known)
  const option = prefix + (name.length <= 64 ? name : `${name.slice(0, 64)}…`)
  const advice = nearest === undefined ? `Known are ${known.join(', ')}.` : `Did you mean "${prefix}${nearest}"?`
  return new LlameroError('ERR_OPTION_INVALID', `There is no option ${JSON.stringify(option)}. ${advice}`, {
    details: { option, expected: nearest === undefined ? known.join(', ') : prefix + nearest, got: 'an unknown name' },
  })
}
