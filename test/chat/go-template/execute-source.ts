import { execute } from '../../../lib/chat/go-template/executor.js'
import { Fuel } from '../../../lib/chat/go-template/fuel.js'
import { functionNames, templateFunctions } from '../../../lib/chat/go-template/functions.js'
import { jsonValue } from '../../../lib/chat/go-template/json-value.js'
import { parseSource } from '../../../lib/chat/go-template/parser.js'
import { RunBuilder } from '../../../lib/chat/go-template/runs.js'
import type { GoValue } from '../../../lib/chat/go-template/value.js'

/** Renders a template with any data, as text. */
export function executeSource(source: string, data: unknown, now = new Date()): string {
  return executeValue(source, jsonValue(data, 'data'), now)
}

export function executeValue(source: string, data: GoValue, now = new Date()): string {
  const definitions = parseSource(source, (name) => functionNames.has(name))
  const output = new RunBuilder(4 * 1024 * 1024, 'the prompt is too long')
  const machine = { functions: templateFunctions(now), fuel: new Fuel(), at: 0 }
  execute({ source, definitions, machine, output }, definitions.get('') ?? [], data)
  return output
    .take()
    .map(({ text }) => text)
    .join('')
}
