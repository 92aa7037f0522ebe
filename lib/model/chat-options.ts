import {
  checkReasoning,
  checkToolChoice,
  checkTools,
  invalidOption,
  jsonValue,
  plainRendering,
  type CheckedTool,
  type JsonObject,
  type ReasoningLevel,
  type ReasoningOptions,
  type ReasoningValues,
  type Schema,
  type ToolChoice,
  type Tools,
} from '../chat/index.js'
import { boolean, integer } from './option-kinds.js'
import { converterOf, type OptionRule, type OptionTable, type OptionValues } from './option-rule.js'
import { generateOptions, type GenerateOptions } from './options.js'

/** How a conversation is answered, beside how any answer is. */
export interface ChatOptions<Answer extends Schema = Schema> extends Omit<GenerateOptions<Answer>, 'suffix'> {
  /**
   * What the model can ask for, by name, up to 128; not together with `grammar`. Tools with a `run` are called, and the
   * model goes on with what they return. @default none
   */
  readonly tools?: Tools | undefined
  /** Which tools the model may or must call. @default 'auto' */
  readonly toolChoice?: ToolChoice | undefined
  /** Whether one answer may have several calls; they run at the same time. @default true */
  readonly parallelToolCalls?: boolean | undefined
  /**
   * Most answers of the model with tools run between them, 1 to 1,000; the calls of the last are answered too, and then
   * the finish reason is `tool-calls`. @default 8
   */
  readonly maxSteps?: number | undefined
  /**
   * Whether the model thinks before it answers, or how hard, or for how many tokens. `ERR_UNSUPPORTED` if it is asked to
   * and its template does not know how. @default as the template does
   */
  readonly reasoning?: boolean | ReasoningLevel | ReasoningOptions | undefined
  /** Further variables of the template, as JSON; those that it is given anyway can't be replaced. @default none */
  readonly templateVariables?: JsonObject | undefined
}

// What templates get from the conversation itself (security.md T2).
const reservedVariables = new Set([
  'messages',
  'tools',
  'add_generation_prompt',
  'bos_token',
  'eos_token',
  'enable_thinking',
  'reasoning_effort',
])

const toolsRule: OptionRule<readonly CheckedTool[]> = {
  unit: 'tools',
  range: 'an object of up to 128 tools by name',
  default: [],
  doc: 'What the model can ask for.',
  read: (value, name, limits) => checkTools(value, name, converterOf(limits)),
}

const toolChoiceRule: OptionRule<ToolChoice> = {
  unit: '',
  range: 'auto, none, required, or { tool }',
  default: 'auto',
  doc: 'Which tools the model may or must call.',
  read: (value, name) => checkToolChoice(value, name),
}

const reasoningRule: OptionRule<ReasoningValues> = {
  unit: '',
  range: 'true, false, low, medium, high, max, or an object',
  default: plainRendering.reasoning,
  doc: 'How the model thinks before it answers.',
  read: (value, name) => checkReasoning(value, name),
}

const variablesRule: OptionRule<JsonObject> = {
  unit: '',
  range: 'an object of JSON values',
  default: {},
  doc: 'Further variables of the template.',
  read(value, name) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw invalidOption(name, 'an object of JSON values', value)
    }
    const reserved = Object.keys(value).find((key) => reservedVariables.has(key))
    if (reserved !== undefined) throw invalidOption(`${name}.${reserved}`, 'absent: the template gets its own', value)
    return jsonValue(value) as JsonObject
  },
}

const { suffix: _suffix, ...generateTable } = generateOptions

/** Every option of `model.chat`. */
export const chatOptions = {
  ...generateTable,
  tools: toolsRule,
  toolChoice: toolChoiceRule,
  parallelToolCalls: boolean({ default: true, doc: 'Whether one answer may have several calls.' }),
  maxSteps: integer({ min: 1, max: 1000, unit: 'steps', default: 8, doc: 'Most answers with tools between them.' }),
  reasoning: reasoningRule,
  templateVariables: variablesRule,
} as const satisfies OptionTable & Record<keyof ChatOptions, unknown>

/** {@link ChatOptions} once checked, with defaults filled in. */
export type ChatValues = OptionValues<typeof chatOptions>

/** Throws `ERR_OPTION_INVALID` for options that exclude each other. */
export function checkCombination(values: ChatValues): void {
  const { tools, toolChoice, grammar } = values
  if (tools.length > 0 && grammar !== '') throw invalidOption('grammar', 'absent together with tools', grammar)
  if (typeof toolChoice === 'object' && !tools.some(({ name }) => name === toolChoice.tool)) {
    throw invalidOption('toolChoice.tool', 'the name of one of the tools', toolChoice.tool)
  }
  if (toolChoice !== 'auto' && toolChoice !== 'none' && tools.length === 0) {
    throw invalidOption('toolChoice', 'auto or none where there are no tools', toolChoice)
  }
}
