import { Refusal } from './fault.js'
import type { Fuel } from './fuel.js'
import { templateLimits } from './limits.js'
import { isTrue, type GoMap, type GoStruct, type GoValue } from './value.js'

/** Compact JSON as Go's encoder writes it: keys of maps in order, `<`, `>`, `&` and line separators escaped. */
export function jsonText(value: GoValue, fuel: Fuel): string {
  const pieces: string[] = []
  let length = 0
  const write = (text: string): void => {
    length += text.length
    if (length > templateLimits.stringLength)
      throw new Refusal(`error calling json: a text of more than ${templateLimits.stringLength} characters`)
    pieces.push(text)
  }
  writeJson(value, write, fuel)
  return pieces.join('')
}

type Write = (text: string) => void

function writeJson(value: GoValue, write: Write, fuel: Fuel): void {
  fuel.spend(1)
  const other = 'type' in value && typeof value.type === 'object' ? value.type.json?.(value) : undefined
  if (other !== undefined) return writeJson(other, write, fuel)
  switch (value.kind) {
    case 'missing':
    case 'nil':
      return write('null')
    case 'bool':
    case 'int':
      return write(String(value.value))
    case 'float':
      return write(Object.is(value.value, -0) ? '-0' : String(value.value))
    case 'complex':
      // Go's encoder refuses, and Ollama goes on with nothing.
      return
    case 'string':
      fuel.spendOnLength(128 * value.text.length)
      return write(jsonString(value.text))
    case 'list':
      return writeList(value.items, write, fuel)
    case 'map':
      return writeMap(value, write, fuel)
    case 'struct':
      return writeStruct(value, write, fuel)
    default:
      value satisfies never
  }
}

function writeList(items: readonly GoValue[] | undefined, write: Write, fuel: Fuel): void {
  if (items === undefined) return write('null')
  write('[')
  for (const [index, item] of items.entries()) {
    if (index > 0) write(',')
    writeJson(item, write, fuel)
  }
  write(']')
}

function writeMap({ entries }: GoMap, write: Write, fuel: Fuel): void {
  if (entries === undefined) return write('null')
  write('{')
  let isFirst = true
  for (const [key, item] of entries) {
    if (!isFirst) write(',')
    isFirst = false
    fuel.spendOnLength(128 * key.length)
    write(`${jsonString(key)}:`)
    writeJson(item, write, fuel)
  }
  write('}')
}

function writeStruct({ type, values }: GoStruct, write: Write, fuel: Fuel): void {
  write('{')
  let isFirst = true
  for (const { name, key, omitEmpty } of type.fields) {
    const value = values.get(name)
    if (value === undefined || (omitEmpty && !isTrue(value))) continue
    if (!isFirst) write(',')
    isFirst = false
    write(`${JSON.stringify(key)}:`)
    writeJson(value, write, fuel)
  }
  write('}')
}

const escapes = [
  ['<', '\\u003c'],
  ['>', '\\u003e'],
  ['&', '\\u0026'],
  ['\u2028', '\\u2028'],
  ['\u2029', '\\u2029'],
] as const

function jsonString(text: string): string {
  let json = JSON.stringify(text)
  for (const [character, escape] of escapes) json = json.replaceAll(character, escape)
  return json
}
