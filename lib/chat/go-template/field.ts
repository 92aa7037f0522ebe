import { Refusal } from './fault.js'
import type { Fuel } from './fuel.js'
import { missing, stringValue, typeName, type GoValue } from './value.js'

/**
 * The value of `.name` on a value, by Go's rules: fields of structs and methods must exist, keys of maps need not.
 *
 * @param hasArguments whether something is handed to it, which nothing here takes
 */
export function fieldOf(receiver: GoValue, name: string, hasArguments: boolean, fuel: Fuel): GoValue {
  if (receiver.kind === 'missing') return missing
  if (receiver.kind === 'nil') throw new Refusal(`nil pointer evaluating interface {}.${name}`)
  const method = 'type' in receiver && typeof receiver.type === 'object' ? receiver.type.methods?.get(name) : undefined
  if (method !== undefined) {
    if (hasArguments) throw new Refusal(`wrong number of args for ${name}: want 0`)
    return stringValue(method(receiver, fuel), false)
  }
  if (receiver.kind === 'struct') {
    const value = receiver.values.get(name)
    if (value === undefined) throw noField(receiver, name)
    if (hasArguments) throw new Refusal(`${name} has arguments but cannot be invoked as function`)
    return value
  }
  if (receiver.kind === 'map') {
    if (hasArguments) throw new Refusal(`${name} is not a method but has arguments`)
    return receiver.entries?.get(name) ?? receiver.zero
  }
  throw noField(receiver, name)
}

function noField(receiver: GoValue, name: string): Refusal {
  return new Refusal(`can't evaluate field ${name} in type ${typeName(receiver)}`)
}
