import type { Fuel } from './fuel.js'
import { Refusal } from './fault.js'
import type { GoFunction } from './functions.js'
import { boolValue, compareText, isTrusted, missing, typeName, type GoValue } from './value.js'

type Test = (a: GoValue, b: GoValue, fuel: Fuel) => boolean

/** `eq ne lt le gt ge`. `eq` compares its first argument with each of the others. */
export const compareFunctions: readonly (readonly [string, GoFunction])[] = [
  ['eq', { least: 1, most: Number.POSITIVE_INFINITY, call: equalsAny }],
  ['ne', pair((a, b, fuel) => !isEqual(a, b, 'ne', fuel))],
  ['lt', pair((a, b, fuel) => isLess(a, b, 'lt', fuel))],
  ['le', pair((a, b, fuel) => isLess(a, b, 'le', fuel) || isEqual(a, b, 'le', fuel))],
  ['gt', pair((a, b, fuel) => !isLess(a, b, 'gt', fuel) && !isEqual(a, b, 'gt', fuel))],
  ['ge', pair((a, b, fuel) => !isLess(a, b, 'ge', fuel))],
]

function pair(test: Test): GoFunction {
  return {
    least: 2,
    most: 2,
    call: ([a = missing, b = missing], fuel) => boolValue(test(a, b, fuel), isTrusted(a) && isTrusted(b)),
  }
}

function equalsAny([first = missing, ...others]: readonly GoValue[], fuel: Fuel): GoValue {
  if (others.length === 0) throw refusal('eq', 'missing argument for comparison')
  const trusted = [first, ...others].every(isTrusted)
  return boolValue(
    others.some((other) => isEqual(first, other, 'eq', fuel)),
    trusted,
  )
}

function isEqual(a: GoValue, b: GoValue, name: string, fuel: Fuel): boolean {
  if (isNothing(a) || isNothing(b)) {
    const other = isNothing(a) ? b : a
    return isNothing(other) || ((other.kind === 'list' || other.kind === 'map') && isNilOf(other))
  }
  if (a.kind === 'string' && b.kind === 'string') {
    fuel.spendOnLength(Math.min(a.text.length, b.text.length))
    return a.text === b.text
  }
  if (a.kind === 'int' && b.kind === 'int') return a.value === b.value
  if ((a.kind === 'float' && b.kind === 'float') || (a.kind === 'bool' && b.kind === 'bool')) return a.value === b.value
  if (a.kind === 'complex' && b.kind === 'complex') return a.real === b.real && a.imaginary === b.imaginary
  if (a.kind === b.kind) throw refusal(name, `non-comparable type ${typeName(a)}`)
  throw incompatible(name, a, b)
}

function isLess(a: GoValue, b: GoValue, name: string, fuel: Fuel): boolean {
  if (!isOrdered(a) || !isOrdered(b)) throw refusal(name, 'invalid type for comparison')
  if (a.kind === 'string' && b.kind === 'string') {
    fuel.spendOnLength(32 * Math.min(a.text.length, b.text.length))
    return compareText(a.text, b.text) < 0
  }
  if (a.kind === 'int' && b.kind === 'int') return a.value < b.value
  if (a.kind === 'float' && b.kind === 'float') return a.value < b.value
  if (a.kind !== b.kind) throw incompatible(name, a, b)
  throw refusal(name, 'invalid type for comparison')
}

function isOrdered({ kind }: GoValue): boolean {
  return kind === 'string' || kind === 'int' || kind === 'float' || kind === 'bool' || kind === 'complex'
}

function isNothing({ kind }: GoValue): boolean {
  return kind === 'missing' || kind === 'nil'
}

function isNilOf(value: GoValue): boolean {
  return (value.kind === 'list' && value.items === undefined) || (value.kind === 'map' && value.entries === undefined)
}

function incompatible(name: string, a: GoValue, b: GoValue): Refusal {
  return refusal(name, `incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`)
}

function refusal(name: string, words: string): Refusal {
  return new Refusal(`error calling ${name}: ${words}`)
}
