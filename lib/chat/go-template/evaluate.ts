import { Refusal } from './fault.js'
import { fieldOf } from './field.js'
import type { Frame } from './frame.js'
import {
  describeOperand,
  type Chain,
  type Command,
  type FieldPath,
  type Operand,
  type Pipe,
  type VariablePath,
} from './node.js'
import { isTrue, missing, nil, type GoValue } from './value.js'

/** Steps that a function costs beside its arguments: it makes lists, and mostly texts. */
const stepsPerFunction = 4

/** The value of a pipeline; what it declares or assigns is done. Throws a {@link Refusal}. */
export function evaluatePipe(frame: Frame, pipe: Pipe): GoValue {
  const { scope } = frame
  let value: GoValue | undefined
  for (const command of pipe.commands) {
    value = evaluateCommand(frame, command, value)
    // As in Go, nothing in a place for anything is no value once it leaves that place.
    if (value.kind === 'nil') value = missing
  }
  const result = value ?? missing
  for (const name of pipe.variables) {
    if (pipe.assigns) scope.assign(name, result)
    else scope.declare(name, result)
  }
  return result
}

/** @param final what the command before handed on; undefined for the first */
function evaluateCommand(frame: Frame, { operands, at }: Command, final: GoValue | undefined): GoValue {
  const { machine } = frame
  machine.fuel.spend(1)
  machine.at = at
  const first = operands[0]
  if (first === undefined) return missing
  const hasArguments = operands.length > 1 || final !== undefined
  switch (first.kind) {
    case 'function':
      return callFunction(frame, first.name, operands, final, at)
    case 'field':
    case 'variable':
    case 'chain':
      return evaluatePath(frame, first, hasArguments)
    case 'pipe':
    case 'literal':
    case 'dot':
      if (hasArguments) throw new Refusal(`can't give argument to non-function ${describeOperand(first)}`)
      return evaluateOperand(frame, first)
    case 'nil':
      throw new Refusal('nil is not a command')
    default:
      return first satisfies never
  }
}

/** The value of an operand that is handed to a function. */
function evaluateOperand(frame: Frame, operand: Operand): GoValue {
  const { machine } = frame
  machine.fuel.spend(1)
  machine.at = operand.at
  switch (operand.kind) {
    case 'literal':
      if (operand.value === undefined) throw new Refusal(`${operand.text} overflows int`)
      return operand.value
    case 'dot':
      return frame.dot
    case 'nil':
      return nil
    case 'pipe':
      return evaluatePipe(frame, operand)
    case 'function':
      return callFunction(frame, operand.name, [operand], undefined, operand.at)
    case 'field':
    case 'variable':
    case 'chain':
      return evaluatePath(frame, operand, false)
    default:
      return operand satisfies never
  }
}

function evaluatePath(frame: Frame, operand: FieldPath | VariablePath | Chain, hasArguments: boolean): GoValue {
  const { path } = operand
  let value = startOfPath(frame, operand)
  if (path.length === 0 && hasArguments)
    throw new Refusal(`can't give argument to non-function ${describeOperand(operand)}`)
  let left = path.length
  for (const name of path) {
    left -= 1
    frame.machine.fuel.spend(1)
    value = fieldOf(value, name, hasArguments && left === 0, frame.machine.fuel)
  }
  return value
}

function startOfPath(frame: Frame, operand: FieldPath | VariablePath | Chain): GoValue {
  if (operand.kind === 'variable') return frame.scope.read(operand.name)
  if (operand.kind === 'field') return frame.dot
  const value = evaluateOperand(frame, operand.operand)
  frame.machine.at = operand.at
  return value
}

/** @param words the name of the function, and its arguments behind it */
function callFunction(
  frame: Frame,
  name: string,
  words: readonly Operand[],
  final: GoValue | undefined,
  at: number,
): GoValue {
  const { machine } = frame
  const found = machine.functions.get(name)
  if (found === undefined) throw new Refusal(`${JSON.stringify(name)} is not a defined function`)
  machine.fuel.spend(stepsPerFunction)
  const count = words.length - (final === undefined ? 1 : 0)
  const { least, most } = found
  if (count < least || count > most) {
    const want = most === least ? String(least) : `at least ${least}`
    throw new Refusal(`wrong number of args for ${name}: want ${want} got ${count}`)
  }
  if ('decides' in found) {
    let value: GoValue = missing
    for (const operand of words.slice(1)) {
      value = evaluateOperand(frame, operand)
      if (isTrue(value) === found.decides) return value
    }
    return final ?? value
  }
  const values = words.slice(1).map((operand) => evaluateOperand(frame, operand))
  if (final !== undefined) values.push(final)
  machine.at = at
  return found.call(values, machine.fuel)
}
