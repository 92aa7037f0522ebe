import { chatOptions, checkCombination, type ChatOptions, type ChatValues } from './chat-options.js'
import { boolean } from './option-kinds.js'
import { type Limits, type OptionTable, readOptions } from './option-rule.js'

/** How a conversation becomes a prompt: what says what the model is told, and how it begins to answer. */
export interface TemplateOptions extends Pick<
  ChatOptions,
  'tools' | 'toolChoice' | 'parallelToolCalls' | 'reasoning' | 'schema' | 'json' | 'templateVariables'
> {
  /** End with the opening of the assistant's turn, so that the model answers. @default true */
  readonly addGenerationPrompt?: boolean | undefined
}

const { tools, toolChoice, parallelToolCalls, reasoning, schema, json, templateVariables } = chatOptions

/** Every option of `model.template`. */
const templateOptions = {
  tools,
  toolChoice,
  parallelToolCalls,
  reasoning,
  schema,
  json,
  templateVariables,
  addGenerationPrompt: boolean({ default: true, doc: "Open the assistant's turn." }),
} as const satisfies OptionTable & Record<keyof TemplateOptions, unknown>

/** {@link TemplateOptions} once checked, beside what else a chat has. */
export interface TemplateValues extends ChatValues {
  readonly addGenerationPrompt: boolean
}

/** Throws `ERR_OPTION_INVALID`. */
export function readTemplateOptions(given: unknown, limits: Limits): TemplateValues {
  const values = { ...readOptions(chatOptions, {}, limits), ...readOptions(templateOptions, given, limits) }
  checkCombination(values)
  return values
}
