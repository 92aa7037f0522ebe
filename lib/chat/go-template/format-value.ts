import { floatVerbText, integerText } from './number-text.js'
import { canBackquote, quote } from './quote.js'
import {
  isTrusted,
  ownText,
  stringValue,
  typeName,
  type GoList,
  type GoMap,
  type GoString,
  type GoStruct,
  type GoValue,
} from './value.js'
import { firstCharacters, padded, plainVerb, type Verb } from './verb.js'

/** Takes a piece of a text, and whether the template's author wrote it. */
export type Write = (text: string, trusted: boolean) => void

/**
 * Writes a value by a verb, as Go's package `fmt` does.
 *
 * @param depth lists and structs around
 * @param isBad whether it stands in the complaint about a verb that does not fit, where no method is asked
 */
export function formatValue(value: GoValue, verb: Verb, write: Write, depth = 0, isBad = false): void {
  if (verb.letter === 'T' && depth === 0) return writeText(kindName(value), verb, write)
  const own = isBad ? undefined : ownText(value)
  if (own !== undefined && /^[vsxXq]$/.test(verb.letter) && !verb.syntax)
    return formatString(stringValue(own, false), verb, write)
  switch (value.kind) {
    case 'missing':
    case 'nil':
      return verb.letter === 'v' ? writeText(nilText(verb, depth), verb, write) : badVerb(value, verb, write)
    case 'bool':
      if (!/^[tv]$/.test(verb.letter)) return badVerb(value, verb, write)
      return write(padded(String(value.value), verb), value.trusted)
    case 'int':
      return number(integerText(value.value, verb, value.type === 'uint8'), value, verb, write)
    case 'float':
      return number(floatVerbText(value.value, verb), value, verb, write)
    case 'complex':
      return number(complexText(value.real, value.imaginary, verb), value, verb, write)
    case 'string':
      return formatString(value, verb, write)
    case 'list':
      return formatList(value, verb, write, depth)
    case 'map':
      return formatMap(value, verb, write, depth)
    case 'struct':
      return formatStruct(value, verb, write, depth)
    default:
      value satisfies never
  }
}

function kindName(value: GoValue): string {
  return value.kind === 'missing' || value.kind === 'nil' ? '<nil>' : typeName(value)
}

function nilText({ syntax }: Verb, depth: number): string {
  return syntax && depth > 0 ? 'interface {}(nil)' : '<nil>'
}

function number(text: string | undefined, value: GoValue, verb: Verb, write: Write): void {
  if (text === undefined) badVerb(value, verb, write)
  else write(text, isTrusted(value))
}

function complexText(real: number, imaginary: number, verb: Verb): string | undefined {
  const first = floatVerbText(real, verb)
  const second = floatVerbText(imaginary, { ...verb, plus: true })
  return first === undefined || second === undefined ? undefined : `(${first}${second}i)`
}

function formatString(value: GoString, verb: Verb, write: Write): void {
  const { text } = value
  switch (verb.letter) {
    case 'v':
      if (verb.syntax) return write(quoted(text, verb), isTrusted(value))
      break
    case 's':
      break
    case 'q':
      return write(quoted(text, verb), isTrusted(value))
    case 'x':
    case 'X':
      return write(hexBytes(text, verb), isTrusted(value))
    default:
      return badVerb(value, verb, write)
  }
  if (verb.width === undefined && verb.precision === undefined) {
    for (const run of value.runs) write(run.text, run.trusted)
    return
  }
  write(padded(cut(text, verb), verb), isTrusted(value))
}

function quoted(text: string, verb: Verb): string {
  const shown = cut(text, verb)
  return padded(verb.sharp && canBackquote(shown) ? `\`${shown}\`` : quote(shown, '"', verb.plus), verb)
}

function hexBytes(text: string, verb: Verb): string {
  const { precision, sharp, space, letter } = verb
  const bytes = Buffer.from(text)
  const shown = precision !== undefined && precision < bytes.length ? bytes.subarray(0, precision) : bytes
  if (shown.length === 0) return padded('', verb)
  const hex = shown.toString('hex')
  const spaced = space ? hex.replaceAll(/..(?=.)/g, sharp ? '$& 0x' : '$& ') : hex
  const whole = sharp ? `0x${spaced}` : spaced
  return padded(letter === 'X' ? whole.toUpperCase() : whole, verb)
}

function cut(text: string, { precision }: Verb): string {
  return precision === undefined ? text : firstCharacters(text, precision)
}

function writeText(text: string, verb: Verb, write: Write): void {
  write(padded(cut(text, verb), verb), true)
}

function formatList({ type, items }: GoList, verb: Verb, write: Write, depth: number): void {
  if (verb.syntax && items === undefined) return write(`${type.name}(nil)`, true)
  write(verb.syntax ? `${type.name}{` : '[', true)
  for (const [index, item] of (items ?? []).entries()) {
    if (index > 0) write(verb.syntax ? ', ' : ' ', true)
    formatValue(item, verb, write, depth + 1)
  }
  write(verb.syntax ? '}' : ']', true)
}

function formatMap({ type, entries }: GoMap, verb: Verb, write: Write, depth: number): void {
  if (verb.syntax && entries === undefined) return write(`${type.name}(nil)`, true)
  write(verb.syntax ? `${type.name}{` : 'map[', true)
  let isFirst = true
  for (const [key, item] of entries ?? []) {
    if (!isFirst) write(verb.syntax ? ', ' : ' ', true)
    isFirst = false
    formatValue(stringValue(key, false), verb, write, depth + 1)
    write(':', true)
    formatValue(item, verb, write, depth + 1)
  }
  write(verb.syntax ? '}' : ']', true)
}

function formatStruct({ type, values }: GoStruct, verb: Verb, write: Write, depth: number): void {
  write(verb.syntax ? `${type.name}{` : '{', true)
  let isFirst = true
  for (const [name, value] of values) {
    if (!isFirst) write(verb.syntax ? ', ' : ' ', true)
    isFirst = false
    if (verb.names || verb.syntax) write(`${name}:`, true)
    formatValue(value, verb, write, depth + 1)
  }
  write('}', true)
}

/** What Go prints for a verb that does not fit the value. */
function badVerb(value: GoValue, verb: Verb, write: Write): void {
  write(`%!${verb.letter}(`, true)
  if (value.kind === 'missing' || value.kind === 'nil') {
    write('<nil>)', true)
    return
  }
  write(`${typeName(value)}=`, true)
  formatValue(value, { ...verb, letter: 'v' }, write, 0, true)
  write(')', true)
}

/** Writes a value as `%v` does. */
export function formatPlain(value: GoValue, write: Write): void {
  formatValue(value, plainVerb, write)
}
