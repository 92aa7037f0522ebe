import { compareFunctions } from './compare.js'
import { index, length, slice } from './collection.js'
import { dateFunctions } from './date.js'
import { htmlText, javaScriptText, queryText } from './escape.js'
import { Refusal } from './fault.js'
import type { Fuel } from './fuel.js'
import { jsonText } from './json.js'
import { printed, printedLine, printedText } from './print.js'
import { formatted } from './printf.js'
import { typeScriptType } from './tool-property.js'
import { boolValue, isTrue, isTrusted, missing, stringValue, typeName, type GoValue } from './value.js'

/** A function that templates can call, by how many arguments it takes. */
export type GoFunction = {
  readonly least: number
  readonly most: number
} & (
  | { readonly call: (values: readonly GoValue[], fuel: Fuel) => GoValue }
  /** `and` and `or`: the first argument with this truth is the value, and no later one is evaluated. */
  | { readonly decides: boolean }
)

/** Functions by name. A map of its own: no name leads to anything else. */
export type Functions = ReadonlyMap<string, GoFunction>

const any = Number.POSITIVE_INFINITY

/** The functions of Go's `text/template` and those that Ollama adds. */
export function templateFunctions(now: Date): Functions {
  return new Map<string, GoFunction>([
    ['and', { least: 1, most: any, decides: false }],
    ['or', { least: 1, most: any, decides: true }],
    ['not', { least: 1, most: 1, call: ([value = missing]) => boolValue(!isTrue(value), isTrusted(value)) }],
    ...compareFunctions,
    ['len', { least: 1, most: 1, call: ([value = missing], fuel) => length(value, fuel) }],
    ['index', { least: 1, most: any, call: ([value = missing, ...keys], fuel) => index(value, keys, fuel) }],
    ['slice', { least: 1, most: any, call: ([value = missing, ...bounds], fuel) => slice(value, bounds, fuel) }],
    ['call', { least: 1, most: any, call: ([value = missing]) => refuseCall(value) }],
    ['print', { least: 0, most: any, call: printed }],
    ['println', { least: 0, most: any, call: printedLine }],
    ['printf', { least: 1, most: any, call: ([format = missing, ...values], fuel) => formatted(format, values, fuel) }],
    ['html', escaping(htmlText)],
    ['js', escaping(javaScriptText)],
    ['urlquery', escaping(queryText)],
    ['json', { least: 1, most: 1, call: ([value = missing], fuel) => made(jsonText(value, fuel), [value]) }],
    [
      'toTypeScriptType',
      { least: 1, most: 1, call: ([value = missing], fuel) => made(typeScriptType(value, fuel), [value]) },
    ],
    ...dateFunctions(now),
  ])
}

/** The names of all functions. */
export const functionNames: ReadonlySet<string> = new Set(templateFunctions(new Date(0)).keys())

function escaping(escape: (text: string) => string): GoFunction {
  return {
    least: 0,
    most: any,
    call(values, fuel) {
      const text = printedText(values, fuel)
      fuel.spendOnText(text)
      return made(escape(text), values)
    },
  }
}

/** A text that was made of values: the author's only if they all were. */
function made(text: string, values: readonly GoValue[]): GoValue {
  return stringValue(text, values.every(isTrusted))
}

function refuseCall(value: GoValue): never {
  if (value.kind === 'missing' || value.kind === 'nil') throw new Refusal('error calling call: call of nil')
  throw new Refusal(`error calling call: non-function of type ${typeName(value)}`)
}
