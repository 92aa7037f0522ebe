import { LlameroError } from '../../errors.js'

/** Longest part of a message that a template or its data can choose, in UTF-16 units. */
const mostCharacters = 1000

/** The error for a place in a template's source. */
export function templateFault(source: string, at: number, reason: string): LlameroError {
  const before = source.slice(0, at)
  const line = before.split('\n').length
  const column = at - before.lastIndexOf('\n')
  const words = reason.length > mostCharacters ? `${reason.slice(0, mostCharacters)}…` : reason
  return new LlameroError('ERR_TEMPLATE', `The Go template failed at line ${line}, column ${column}: ${words}.`, {
    details: { line, column, reason: words },
  })
}

/** The error for a template, a prompt or data that exceed a limit, wherever that is. */
export function limitFault(words: string): LlameroError {
  return new LlameroError('ERR_TEMPLATE', words)
}

/** What goes wrong inside a function or a format; whoever called it knows the place. */
export class Refusal extends Error {}
