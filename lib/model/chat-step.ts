import {
  type ChatPrompt,
  type ChatTemplate,
  type Message,
  outcomeMessage,
  plainRendering,
  relaxedWarnings,
  type Rendering,
  renderWithGenericTools,
  runTool,
  type ToolCall,
  type ToolOutcome,
} from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { StepAnswer } from './answer.js'
import type { ChatValues } from './chat-options.js'
import { answerSchema, checkObject } from './object.js'
import type { MediaPrompt } from './media-prompt.js'
import type { Part } from './part.js'
import { prepareRequest, type RequestSetting } from './request.js'
import type { AnswerPlan, BetweenSteps, Followed, PreparedRequest } from './step.js'

/** A conversation as tokens, with what its answer will look like. */
export interface PromptTokens {
  readonly tokens: Int32Array
  /** The images and sounds in it. */
  readonly placed: MediaPrompt['media']
  readonly chat: ChatPrompt
  /** Lets go of what the engine has taken over, or never will. */
  readonly release: () => void
}

/** Who answers a conversation. */
export interface Chat<Prompt extends PromptTokens = PromptTokens> {
  readonly values: ChatValues
  readonly setting: RequestSetting
  /** The prompt of a conversation that has grown, as its policy lets it pass. */
  readonly prompt: (messages: readonly Message[], step: ChatValues) => Promise<Prompt>
  /** The request of a step is ready. */
  readonly prepared?: ((request: PreparedRequest, prompt: Prompt) => void) | undefined
}

/** What a template makes of a conversation with these options. Rejects with `ERR_TEMPLATE` or `ERR_UNSUPPORTED`. */
export async function renderChat(
  template: ChatTemplate,
  messages: readonly Message[],
  values: ChatValues,
  setting: Pick<Rendering, 'addGenerationPrompt' | 'mediaMarker' | 'convertSchema'>,
): Promise<ChatPrompt> {
  const { reasoning, toolChoice, parallelToolCalls, grammar } = values
  if (reasoning.enabled === true && !template.supportsThinking) {
    throw new LlameroError('ERR_UNSUPPORTED', "The model does not support thinking: leave the option 'reasoning' away.")
  }
  const rendering: Rendering = {
    ...plainRendering,
    messages,
    tools: toolChoice === 'none' ? [] : values.tools,
    toolChoice,
    parallelToolCalls,
    schema: answerSchema(values),
    grammar,
    reasoning,
    variables: values.templateVariables,
    ...setting,
  }
  const isBound = toolChoice !== 'auto' || !parallelToolCalls || rendering.schema !== undefined
  const isOwn = template.supportsTools && (template.bindsTools || !isBound)
  const usesGenericTools = rendering.tools.length > 0 && !isOwn
  return usesGenericTools ? renderWithGenericTools(template, rendering) : template.render(rendering)
}

/** The next step of a conversation: its request, and what becomes of the answer. */
export async function chatStep<Prompt extends PromptTokens>(
  chat: Chat<Prompt>,
  messages: readonly Message[],
  stepsLeft: number,
): Promise<PreparedRequest> {
  const prompt = await chat.prompt(messages, chat.values)
  const { tokens, placed: media, release } = prompt
  try {
    const request = prepareRequest(tokens, chat.values, { ...chat.setting, media }, prompt.chat)
    const prepared = { ...request, release, answer: answerPlan(chat, messages, stepsLeft, prompt.chat) }
    chat.prepared?.(prepared, prompt)
    return prepared
  } catch (error) {
    release()
    throw error
  }
}

function answerPlan<Prompt extends PromptTokens>(
  chat: Chat<Prompt>,
  messages: readonly Message[],
  stepsLeft: number,
  { format }: ChatPrompt,
): AnswerPlan | undefined {
  const schema = answerSchema(chat.values)
  if (format === undefined && schema === undefined) return undefined
  return {
    format,
    warnings: [
      ...chat.values.tools.flatMap(({ parameters }) => parameters.warnings),
      ...relaxedWarnings('schema', schema?.relaxed ?? []),
    ],
    check: schema === undefined ? undefined : (text, finishReason) => checkObject(schema, text, finishReason),
    follow: (answer, between) => follow(chat, messages, stepsLeft, answer, between),
  }
}

async function follow<Prompt extends PromptTokens>(
  chat: Chat<Prompt>,
  messages: readonly Message[],
  stepsLeft: number,
  { message, toolCalls }: StepAnswer,
  { signal, tell }: BetweenSteps,
): Promise<Followed | undefined> {
  const { tools } = chat.values
  const isOurs = ({ name }: ToolCall): boolean => tools.find((tool) => tool.name === name)?.run !== undefined
  const isUnknown = ({ name }: ToolCall): boolean => !tools.some((tool) => tool.name === name)
  if (tools.length === 0 || !toolCalls.every((call) => isOurs(call) || isUnknown(call))) return undefined
  const conversation = [...messages, message]
  const outcomes = await Promise.all(
    toolCalls.map(async (call) => {
      const outcome = await runTool(call, { tools, messages: conversation, signal })
      tell(resultPart(outcome))
      return outcome
    }),
  )
  const results = outcomes.map(outcomeMessage)
  if (stepsLeft <= 1) return { results, next: undefined }
  // What had to be called has been: now the model may answer.
  const freed = { ...chat, values: { ...chat.values, toolChoice: 'auto' as const } }
  return { results, next: await chatStep(freed, [...conversation, ...results], stepsLeft - 1) }
}

function resultPart({ call, result, error, cause }: ToolOutcome): Part {
  return {
    type: 'tool-result',
    toolCallId: call.id,
    toolName: call.name,
    ...(result !== undefined && { result }),
    ...(error !== undefined && { error }),
    ...(cause !== undefined && { cause }),
  }
}
