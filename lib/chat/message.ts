import { LlameroError } from '../errors.js'
import { describeValue, invalidOption } from './value.js'
import { wellFormed } from './well-formed.js'

/** Who speaks: instructions for the model, the person, the model, or the result of a tool. */
export type Role = 'system' | 'user' | 'assistant' | 'tool'

/** One message of a conversation. */
export interface Message {
  readonly role: Role
  /** The text; lone surrogates become U+FFFD. It can hold any characters: special tokens in it stay plain text. */
  readonly content: string
}

const roles: readonly string[] = ['system', 'user', 'assistant', 'tool'] satisfies Role[]

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
  if (typeof content !== 'string') throw invalidOption(`${name}.content`, 'a string', content)
  const unknown = Object.keys(others).find((key) => others[key] !== undefined)
  if (unknown !== undefined) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      `${name} may have the fields role and content; got ${describeValue(unknown)} as another field.`,
      { details: { option: `${name}.${unknown}`, expected: 'role and content', got: unknown } },
    )
  }
  return { role: role as Role, content: wellFormed(content) }
}

/** Bytes of all contents as UTF-8. */
export function messageBytes(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
}
