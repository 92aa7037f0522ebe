import { randomBytes } from 'node:crypto'
import { LlameroError } from '../errors.js'
import { jsonValue, type JsonObject } from './json.js'
import { invalidOption, unknownField } from './value.js'
import { wellFormed } from './well-formed.js'

/** A tool that the model wants to be called. */
export interface ToolCall {
  /** Tells calls of one conversation apart; made up where the model gives none. */
  readonly id: string
  readonly name: string
  /** As the model wrote them: not checked against the tool's parameters unless the tool has a `run`. */
  readonly arguments: JsonObject
}

const maxCalls = 128

/** Calls of an earlier answer, as a caller hands them back. */
export function normalizeToolCalls(calls: unknown, name: string): readonly ToolCall[] {
  if (!Array.isArray(calls) || calls.length > maxCalls) {
    throw invalidOption(name, `an array of up to ${maxCalls} calls`, calls)
  }
  return Array.from(calls as unknown[], (call, index) => normalizeCall(call, `${name}[${index}]`))
}

function normalizeCall(call: unknown, at: string): ToolCall {
  if (typeof call !== 'object' || call === null) throw invalidOption(at, 'an object with id, name, arguments', call)
  const { id = newCallId(), name, arguments: given = {}, ...others } = call as Record<string, unknown>
  const unknown = Object.keys(others)[0]
  if (unknown !== undefined) throw unknownField(at, unknown, ['id', 'name', 'arguments'])
  if (typeof id !== 'string') throw invalidOption(`${at}.id`, 'a string', id)
  if (typeof name !== 'string' || name === '') throw invalidOption(`${at}.name`, 'the name of a tool', name)
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption(`${at}.arguments`, 'an object', given)
  }
  try {
    return { id: wellFormed(id), name: wellFormed(name), arguments: jsonValue(given) as JsonObject }
  } catch (cause) {
    if (cause instanceof LlameroError) throw cause
    throw invalidOption(`${at}.arguments`, 'an object that JSON can write', given)
  }
}

/** `call_` and 8 characters, as Ollama names calls (spec/ollama.md §5.6). */
export function newCallId(): string {
  return `call_${randomBytes(6).toString('base64url').replace(/[-_]/g, 'x')}`
}
