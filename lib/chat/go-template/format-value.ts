import type { Fuel } from './fuel.js'
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

/** Where a text goes, and what pays for it. */
export interface Sink {
  /** Takes a piece, and whether the template's author wrote it. */
  readonly write: (text: string, trusted: boolean) => void
  readonly fuel: Fuel
}

/**
 * Writes a value by a verb, as Go's package `fmt` does.
 *
 * @param depth lists and structs around
 * @param isBad whether it stands in the complaint about a verb that does not fit, where no method is asked
 */
export function formatValue(value: GoValue, verb: Verb, sink: Sink, depth = 0, isBad = false): void {
  if (value.kind === 'missing' || value.kind === 'nil') return formatNil(value, verb, sink, depth)
  if (verb.letter === 'T' && depth === 0) return sink.write(padded(cut(typeName(value), verb), verb), true)
  // Go prints addresses by `%p`, of which there are none here; `%w` is for errors.
  if (verb.letter === 'p' || verb.letter === 'w') return badVerb(value, verb, sink)
  const own = isBad ? undefined : ownText(value, sink.fuel)
  if (own !== undefined && /^[vsxXq]$/.test(verb.letter) && !verb.syntax)
    return formatString(stringValue(own, false), verb, sink)
  switch (value.kind) {
    case 'bool':
      if (!/^[tv]$/.test(verb.letter)) return badVerb(value, verb, sink)
      return sink.write(padded(String(value.value), verb), value.trusted)
    case 'int':
      return number(integerText(value.value, verb, value.type === 'uint8'), value, verb, sink)
    case 'float':
      payForDigits(verb, sink)
      return number(floatVerbText(value.value, verb), value, verb, sink)
    case 'complex':
      payForDigits(verb, sink)
      return number(complexText(value.real, value.imaginary, verb), value, verb, sink)
    case 'string':
      return formatString(value, verb, sink)
    case 'list':
      return formatList(value, verb, sink, depth)
    case 'map':
      return formatMap(value, verb, sink, depth)
    case 'struct':
      return formatStruct(value, verb, sink, depth)
    default:
      value satisfies never
  }
}

function formatNil(value: GoValue, verb: Verb, sink: Sink, depth: number): void {
  if (depth > 0) return sink.write(verb.syntax ? 'interface {}(nil)' : '<nil>', true)
  if (verb.letter === 'v' || verb.letter === 'T') return sink.write(padded('<nil>', verb), true)
  badVerb(value, verb, sink)
}

/** What all digits of a float cost, which a precision asks for; the fewest that name it come at once. */
const stepsPerFloat = 400

function payForDigits({ letter, precision }: Verb, { fuel }: Sink): void {
  if (precision !== undefined || /[eEfF]/.test(letter)) fuel.spend(stepsPerFloat + (precision ?? 0) / 16)
}

function number(text: string | undefined, value: GoValue, verb: Verb, sink: Sink): void {
  if (text === undefined) badVerb(value, verb, sink)
  else sink.write(text, isTrusted(value))
}

function complexText(real: number, imaginary: number, verb: Verb): string | undefined {
  const first = floatVerbText(real, verb)
  const second = floatVerbText(imaginary, { ...verb, plus: true })
  return first === undefined || second === undefined ? undefined : `(${first}${second}i)`
}

function formatString(value: GoString, verb: Verb, sink: Sink): void {
  const { text } = value
  switch (verb.letter) {
    case 'v':
      if (!verb.syntax) break
      sink.fuel.spendOnText(text)
      return sink.write(quoted(text, verb), isTrusted(value))
    case 's':
      break
    case 'q':
      sink.fuel.spendOnText(text)
      return sink.write(quoted(text, verb), isTrusted(value))
    case 'x':
    case 'X':
      sink.fuel.spendOnText(text)
      return sink.write(hexBytes(text, verb), isTrusted(value))
    default:
      return badVerb(value, verb, sink)
  }
  if (verb.width === undefined && verb.precision === undefined) {
    for (const run of value.runs) sink.write(run.text, run.trusted)
    return
  }
  sink.fuel.spendOnText(text)
  sink.write(padded(cut(text, verb), verb), isTrusted(value))
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

function formatList({ type, items }: GoList, verb: Verb, sink: Sink, depth: number): void {
  if (verb.syntax && items === undefined) return sink.write(`${type.name}(nil)`, true)
  sink.write(verb.syntax ? `${type.name}{` : '[', true)
  for (const [index, item] of (items ?? []).entries()) {
    if (index > 0) sink.write(verb.syntax ? ', ' : ' ', true)
    formatValue(item, verb, sink, depth + 1)
  }
  sink.write(verb.syntax ? '}' : ']', true)
}

function formatMap({ type, entries }: GoMap, verb: Verb, sink: Sink, depth: number): void {
  if (verb.syntax && entries === undefined) return sink.write(`${type.name}(nil)`, true)
  sink.write(verb.syntax ? `${type.name}{` : 'map[', true)
  let isFirst = true
  for (const [key, item] of entries ?? []) {
    if (!isFirst) sink.write(verb.syntax ? ', ' : ' ', true)
    isFirst = false
    formatValue(stringValue(key, false), verb, sink, depth + 1)
    sink.write(':', true)
    formatValue(item, verb, sink, depth + 1)
  }
  sink.write(verb.syntax ? '}' : ']', true)
}

function formatStruct({ type, values }: GoStruct, verb: Verb, sink: Sink, depth: number): void {
  sink.write(verb.syntax ? `${type.name}{` : '{', true)
  let isFirst = true
  for (const [name, value] of values) {
    if (!isFirst) sink.write(verb.syntax ? ', ' : ' ', true)
    isFirst = false
    if (verb.names || verb.syntax) sink.write(`${name}:`, true)
    formatValue(value, verb, sink, depth + 1)
  }
  sink.write('}', true)
}

/** What Go prints for a verb that does not fit the value. */
function badVerb(value: GoValue, verb: Verb, sink: Sink): void {
  sink.write(`%!${verb.letter}(`, true)
  if (value.kind === 'missing' || value.kind === 'nil') {
    sink.write('<nil>)', true)
    return
  }
  sink.write(`${typeName(value)}=`, true)
  formatValue(value, { ...verb, letter: 'v' }, sink, 0, true)
  sink.write(')', true)
}

/** Writes a value as `%v` does. */
export function formatPlain(value: GoValue, sink: Sink): void {
  formatValue(value, plainVerb, sink)
}
