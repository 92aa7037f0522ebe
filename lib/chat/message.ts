import type { ContentPart } from './content.js'
import { contentText, normalizeContent } from './content.js'
import { normalizeToolCalls, type ToolCall } from './tool-call.js'
import { invalidOption, unknownField } from './value.js'
import { wellFormed } from './well-formed.js'

/** Who speaks: instructions for the model, the person, the model, or the result of a tool. */
export type Role = 'system' | 'user' | 'assistant' | 'tool'

/** One message of a conversation. */
export interface Message {
  readonly role: Role
  /**
   * The text, or a list of parts; lone surrogates become U+FFFD. It can hold any characters: special tokens in it stay
   * plain text.
   */
  readonly content: string | readonly ContentPart[]
  /** What the model thought before it answered; only of the assistant. Its template decides whether it reads it again. */
  readonly reasoning?: string | undefined
  /** Tools that the model calls, up to 128; only of the assistant. */
  readonly toolCalls?: readonly ToolCall[] | undefined
  /** Which call the result is for; only of a tool. */
  readonly toolCallId?: string | undefined
  /** Which tool the result is of; only of a tool. */
  readonly toolName?: string | undefined
}

const roles: readonly string[] = ['system', 'user', 'assistant', 'tool'] satisfies Role[]

/** Fields beside role and content, and whose they are. */
const owners: Readonly<Record<string, Role>> = {
  reasoning: 'assistant',
  toolCalls: 'assistant',
  toolCallId: 'tool',
  toolName: 'tool',
}

/** Most messages of one conversation. */
export const maxMessages = 4096

/** The messages behind what a caller passes to `chat`: a lone string is one message of the user. */
export function normalizeMessages(input: unknown): readonly Message[] {
  if (typeof input === 'string') return [{ role: 'user', content: wellFormed(input) }]
  if (!Array.isArray(input)) throw invalidOption('messages', 'a string or an array of messages', input)
  if (input.length < 1 || input.length > maxMessages) {
    throw invalidOption('messages', `a string or an array of 1 to ${maxMessages} messages`, input)
  }
  return Array.from(input as unknown[], (message, index) => normalizeMessage(message, `messages[${index}]`))
}

function normalizeMessage(message: unknown, name: string): Message {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw invalidOption(name, 'an object with role and content', message)
  }
  const { role, content, ...others } = message as Record<string, unknown>
  if (typeof role !== 'string' || !roles.includes(role)) {
    throw invalidOption(`${name}.role`, `one of ${roles.join(', ')}`, role)
  }
  for (const [field, value] of Object.entries(others)) {
    if (value === undefined) continue
    const owner = Object.hasOwn(owners, field) ? owners[field] : undefined
    if (owner === undefined) throw unknownField(name, field, ['role', 'content', ...Object.keys(owners)])
    if (owner !== role)
      throw invalidOption(`${name}.${field}`, `absent: it belongs to messages of role ${owner}`, value)
  }
  return {
    role: role as Role,
    content: normalizeContent(content, `${name}.content`),
    ...optionalText(others, 'reasoning', name),
    ...(others['toolCalls'] !== undefined && {
      toolCalls: normalizeToolCalls(others['toolCalls'], `${name}.toolCalls`),
    }),
    ...optionalText(others, 'toolCallId', name),
    ...optionalText(others, 'toolName', name),
  }
}

function optionalText(
  message: Readonly<Record<string, unknown>>,
  field: 'reasoning' | 'toolCallId' | 'toolName',
  name: string,
): Partial<Message> {
  const value = message[field]
  if (value === undefined) return {}
  if (typeof value !== 'string') throw invalidOption(`${name}.${field}`, 'a string', value)
  return { [field]: wellFormed(value) }
}

/** Every text that a template may write of a message. */
export function messageTexts({ content, reasoning, toolCalls, toolCallId, toolName }: Message): string[] {
  const calls = (toolCalls ?? []).flatMap((call) => [call.id, call.name + JSON.stringify(call.arguments)])
  return [contentText(content), reasoning ?? '', ...calls, toolCallId ?? '', toolName ?? ''].filter(
    (text) => text !== '',
  )
}

/** Bytes of all texts as UTF-8. */
export function messageBytes(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => {
    return messageTexts(message).reduce((bytes, text) => bytes + Buffer.byteLength(text), sum)
  }, 0)
}
