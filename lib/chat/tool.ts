import type { JsonObject } from './json.js'
import type { Message } from './message.js'
import type { SchemaConverter, StandardSchema } from './schema/index.js'
import type { Schema } from './schema-output.js'
import { toolParameters, type ToolParameters } from './tool-parameters.js'
import { invalidOption, unknownField } from './value.js'
import { wellFormed } from './well-formed.js'

/** What a running tool is told beside its arguments. */
export interface ToolContext {
  /** Aborted when nobody waits for the result any more: the generation was stopped, or the tool took too long. */
  readonly signal: AbortSignal
  readonly toolCallId: string
  /** The conversation up to the call. */
  readonly messages: readonly Message[]
}

/** Something that the model can ask for. */
export interface Tool<Arguments = never, Output = unknown> {
  /** Tells the model what it is for. */
  readonly description?: string | undefined
  /**
   * The arguments: a JSON schema of an object, or a Standard Schema (zod, valibot, arktype, …) of one. What a grammar
   * can't hold is checked before `run`. @default no arguments
   */
  readonly parameters?: Schema | undefined
  /**
   * Does it, and returns what the model reads: text, or what JSON can hold. What it throws is told to the model. Without
   * it, the generation ends with the finish reason `tool-calls`, and the caller answers with messages of role `tool`.
   */
  readonly run?: ((args: Arguments, context: ToolContext) => Output | Promise<Output>) | undefined
  /** Most time of a run, 1 to 2,147,483,647 ms; then the model is told that it took too long. @default no limit */
  readonly timeoutMs?: number | undefined
}

/** Tools by name. */
export type Tools = Readonly<Record<string, Tool>>

/**
 * Which tools the model may call: what it wants, none, at least one, or exactly the one of that name. What must be called
 * binds the first step; after that, the model is free to answer.
 */
export type ToolChoice = 'auto' | 'none' | 'required' | { readonly tool: string }

/** What `run` gets: what a Standard Schema says, or any object where a JSON Schema tells TypeScript nothing. */
export type ToolArguments<Parameters> = Parameters extends StandardSchema<infer Output> ? Output : JsonObject

/** Gives `run` the type of its arguments, inferred from `parameters`; does nothing else. */
export function tool<const Parameters extends Schema, Output>(definition: {
  readonly description?: string | undefined
  readonly parameters?: Parameters | undefined
  readonly run?: ((args: ToolArguments<Parameters>, context: ToolContext) => Output | Promise<Output>) | undefined
  readonly timeoutMs?: number | undefined
}): Tool {
  return definition
}

/** A tool once checked. */
export interface CheckedTool {
  readonly name: string
  readonly description: string
  readonly parameters: ToolParameters
  readonly run: ((args: never, context: ToolContext) => unknown) | undefined
  readonly timeoutMs: number | undefined
}

const maxTools = 128
const maxName = 64
const noParameters = { type: 'object', properties: {} } as const

/** The tools of a call, checked one by one: one that can't be used as it is says why and names itself. */
export function checkTools(given: unknown, name: string, convert: SchemaConverter): readonly CheckedTool[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption(name, 'an object of tools by name', given)
  }
  const entries = Object.entries(given)
  if (entries.length > maxTools) throw invalidOption(name, `an object of up to ${maxTools} tools`, given)
  return entries.map(([key, definition]) => checkTool(key, definition, `${name}.${key}`, convert))
}

function checkTool(name: string, definition: unknown, at: string, convert: SchemaConverter): CheckedTool {
  if (name.length > maxName || !/^[a-zA-Z0-9_.-]+$/.test(name)) {
    throw invalidOption(at, `named with 1 to ${maxName} letters, digits, "_", "-" or "."`, name)
  }
  if (typeof definition !== 'object' || definition === null) {
    throw invalidOption(at, 'an object with description, parameters, run', definition)
  }
  const {
    description = '',
    parameters = noParameters,
    run,
    timeoutMs,
    ...others
  } = definition as Record<string, unknown>
  const unknown = Object.keys(others).find((field) => others[field] !== undefined)
  if (unknown !== undefined) throw unknownField(at, unknown, ['description', 'parameters', 'run', 'timeoutMs'])
  if (typeof description !== 'string') throw invalidOption(`${at}.description`, 'a string', description)
  if (run !== undefined && typeof run !== 'function') throw invalidOption(`${at}.run`, 'a function', run)
  if (timeoutMs !== undefined && !isTimeout(timeoutMs)) {
    throw invalidOption(`${at}.timeoutMs`, 'a whole number from 1 to 2147483647', timeoutMs)
  }
  const schema = toolParameters(parameters, `${at}.parameters`, convert)
  return {
    name,
    description: wellFormed(description),
    parameters: schema,
    run: run as CheckedTool['run'],
    timeoutMs,
  }
}

function isTimeout(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 2 ** 31 - 1
}

/** A choice of tools once checked. */
export function checkToolChoice(value: unknown, name = 'toolChoice'): ToolChoice {
  if (value === 'auto' || value === 'none' || value === 'required') return value
  if (typeof value === 'object' && value !== null && 'tool' in value && typeof value.tool === 'string') {
    return { tool: value.tool }
  }
  throw invalidOption(name, 'auto, none, required, or { tool } with the name of a tool', value)
}

/** The tools as OpenAI's API writes them, which is how templates read them. */
export function describeTools(tools: readonly CheckedTool[]): JsonObject[] {
  return tools.map(({ name, description, parameters }) => ({
    type: 'function',
    function: { name, description, parameters: parameters.shown },
  }))
}
