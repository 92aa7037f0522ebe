import type { NativeTextPart } from '../../native-types.js'
import { collate } from './collate.js'
import type { GoConversation, GoMessage } from './conversation.js'
import { cutBehindResponse } from './cut.js'
import { dataOf, messagesValue, textValue, thinkValues, toolsValue } from './data.js'
import { execute, type Execution } from './executor.js'
import { Fuel } from './fuel.js'
import { templateFunctions } from './functions.js'
import { templateLimits } from './limits.js'
import type { Node } from './node.js'
import { RunBuilder } from './runs.js'
import type { GoTemplate } from './template.js'
import type { GoValue } from './value.js'

/**
 * The prompt that a template makes of a conversation, in one of Ollama's three ways: around a gap, if there are a prompt
 * and a suffix; with `.Messages`, if the template uses them; else turn by turn, the last one open for the answer.
 *
 * Only what the template's author wrote is trusted to hold special tokens: its texts and literals, and the four known
 * roles. Whatever comes from the conversation, or was computed from it, is not.
 *
 * Errors: `ERR_TEMPLATE` with `line` and `column` in its details, also for one that takes more than it may;
 * `ERR_OPTION_INVALID` for arguments that are no JSON.
 */
export function renderGoTemplate(template: GoTemplate, conversation: GoConversation): NativeTextPart[] {
  const output = new RunBuilder(
    templateLimits.outputLength + 4 * lengthOf(conversation),
    'the prompt grows out of all proportion to the conversation',
  )
  const { source, definitions, identifiers } = template
  const machine = { functions: templateFunctions(conversation.now ?? new Date()), fuel: new Fuel(), at: 0 }
  const execution: Execution = { source, definitions, machine, output }
  const think = thinkValues(conversation)
  const root = definitions.get('') ?? []
  const { prompt = '', suffix = '', messages = [], tools } = conversation
  const { system, messages: collated } = collate(messages)
  if (prompt !== '' && suffix !== '') {
    const data = { Prompt: textValue(prompt), Suffix: textValue(suffix), Response: textValue(''), ...think }
    execute(execution, root, dataOf(data))
  } else if (identifiers.has('messages')) {
    const data = {
      System: textValue(system),
      Messages: messagesValue(collated),
      Tools: toolsValue(tools),
      Response: textValue(''),
      ...think,
    }
    execute(execution, root, dataOf(data))
  } else renderTurns(execution, root, collated, think)
  return [...output.take()]
}

/** One turn of a conversation. */
interface Turn {
  readonly system: string
  readonly prompt: string
  readonly response: string
}

const emptyTurn: Turn = { system: '', prompt: '', response: '' }

/** For templates that know a prompt and a response: the whole template once for each turn. */
function renderTurns(
  execution: Execution,
  root: readonly Node[],
  messages: readonly GoMessage[],
  think: Readonly<Record<string, GoValue>>,
): void {
  const render = (nodes: readonly Node[], { system, prompt, response }: Turn) => {
    const data = { System: textValue(system), Prompt: textValue(prompt), Response: textValue(response), ...think }
    execute(execution, nodes, dataOf(data))
  }
  let turn = emptyTurn
  for (const { role, content } of messages) {
    if (endsTurn(turn, role)) {
      render(root, turn)
      turn = emptyTurn
    }
    if (role === 'system') turn = { ...turn, system: content }
    if (role === 'user') turn = { ...turn, prompt: content }
    if (role === 'assistant') turn = { ...turn, response: content }
  }
  render(cutBehindResponse(root), turn)
}

function endsTurn({ prompt, response }: Turn, role: string): boolean {
  if (role === 'system') return prompt !== '' || response !== ''
  return role === 'user' && response !== ''
}

/** UTF-16 units of everything that a conversation says. */
function lengthOf({ messages = [], tools = [], prompt = '', suffix = '' }: GoConversation): number {
  const said = messages.map(
    ({ content, thinking = '', toolCalls = [] }) =>
      content.length + thinking.length + (toolCalls.length > 0 ? jsonLength(toolCalls) : 0),
  )
  return said.reduce((sum, length) => sum + length, prompt.length + suffix.length + jsonLength(tools))
}

/** What cannot be written as JSON is refused later, with its name. */
function jsonLength(value: unknown): number {
  try {
    return JSON.stringify(value).length
  } catch {
    return 0
  }
}
