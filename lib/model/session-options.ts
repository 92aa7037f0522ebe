import { invalidOption, normalizeMessages, type Message, type Schema } from '../chat/index.js'
import { scaledAdapters } from './adapter-option.js'
import type { Adapter, ScaledAdapter } from './adapter.js'
import type { AdapterSet } from './adapter-set.js'
import { opened, withDefaults, type Defaults } from './brought.js'
import { chatOptions, type ChatOptions } from './chat-options.js'
import { group, text } from './option-kinds.js'
import { type Limits, type OptionRule, type OptionTable, type OptionValues, readOptions } from './option-rule.js'
import { cacheTable, generateOptions, type CacheOptions, type GenerateOptions } from './options.js'
import { pathOf } from './session-storage.js'

/** How a session begins. A wrong value rejects with `ERR_OPTION_INVALID`. */
export interface SessionOptions {
  /** Text of a first message of the system. @default none */
  readonly system?: string | undefined
  /** Messages that the conversation begins with, after `system`: 1 to 4,096. @default none */
  readonly messages?: readonly Message[] | undefined
  /** With whom what is computed is shared, for all of the session's answers. @default with all that give no key */
  readonly cache?: CacheOptions | undefined
  /**
   * The adapters that it is computed with from beginning to end, up to 16, with their scales; see `model.adapter`. What
   * is restored must have been saved with the same ones. @default none
   */
  readonly adapters?: readonly (Adapter | ScaledAdapter)[] | undefined
  /**
   * A session that `save` has written, as the path or file URL of its file, or as its bytes; it brings its own messages.
   * Only restore what you or your users made: the checksum finds damage, not malice. @default none
   */
  readonly restore?: string | URL | Uint8Array | undefined
}

/** How a session answers: as in {@link ChatOptions}, save that `cache` and `adapters` are the session's own. */
export type SessionChatOptions<Answer extends Schema = Schema> = Omit<ChatOptions<Answer>, 'cache' | 'adapters'>

/** How a session computes what it was given, without an answer. */
export type PrefillOptions = Pick<GenerateOptions, 'priority' | 'overflow' | 'signal'>

const anything = 2 ** 30

const messagesRule: OptionRule<readonly Message[]> = {
  unit: 'messages',
  range: '1 to 4,096 messages',
  default: [],
  doc: 'Messages that the conversation begins with.',
  read(value) {
    if (!Array.isArray(value)) throw invalidOption('messages', 'an array of messages', value)
    return normalizeMessages(value)
  },
}

const restoreRule: OptionRule<string | Uint8Array | undefined> = {
  unit: '',
  range: 'the path or file URL of a saved session, or its bytes',
  default: undefined,
  doc: 'A session that save has written.',
  read: (value, name) => (value instanceof Uint8Array ? value : pathOf(value, name)),
}

/** Every option of `model.session`. */
export const sessionOptions = {
  system: text({ maxBytes: anything, default: '', doc: 'Text of a first message of the system.' }),
  messages: messagesRule,
  cache: group(cacheTable, 'With whom what is computed is shared.'),
  adapters: scaledAdapters('The adapters that it is computed with.'),
  restore: restoreRule,
} as const satisfies OptionTable & Record<keyof SessionOptions, unknown>

const { cache: _cache, adapters: _adapters, ...chatTable } = chatOptions
/** Every option of `session.chat`. */
export const sessionChatOptions = chatTable satisfies OptionTable & Record<keyof SessionChatOptions, unknown>

/** Every option of `session.prefill`. */
export const prefillOptions = {
  priority: generateOptions.priority,
  overflow: generateOptions.overflow,
  signal: generateOptions.signal,
} as const satisfies OptionTable & Record<keyof PrefillOptions, unknown>

/** What all that a session computes has in common: with whom it is shared, and what it is computed with. */
export interface SessionScope {
  readonly cacheKey: string
  readonly adapters: AdapterSet
}

/** {@link SessionOptions} once checked: its first messages, or what they are restored from. */
export interface SessionValues extends SessionScope {
  readonly messages: readonly Message[]
  readonly restore: string | Uint8Array | undefined
}

/** Checks how a session begins; what is not given is the model's own, and what is restored has its own. */
export function readSessionOptions(
  given: unknown,
  { limits, defaults }: { readonly limits: Limits; readonly defaults: Defaults },
): SessionValues {
  const options = withDefaults(given as SessionOptions, ofSession(defaults))
  const values: OptionValues<typeof sessionOptions> = readOptions(sessionOptions, options, limits)
  const { system, messages, restore, cache, adapters } = values
  if (restore !== undefined && (system !== '' || messages.length > 0)) {
    throw invalidOption('restore', 'given without system and messages: a saved session has its own', restore)
  }
  const first: readonly Message[] = system === '' ? [] : [{ role: 'system', content: system }]
  const conversation = restore === undefined ? opened([...first, ...messages], defaults) : []
  return { cacheKey: cache?.key ?? '', adapters, messages: conversation, restore }
}

function ofSession({ options: { adapters } }: Defaults): SessionOptions {
  return adapters === undefined ? {} : { adapters }
}
