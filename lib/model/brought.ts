import { normalizeMessages, type Message } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { Adapter } from './adapter.js'
import { type Limits, readOptions } from './option-rule.js'
import { generateOptions, type GenerateOptions } from './options.js'
import type { BroughtTemplate } from './serving-template.js'

/** What a model brings along beside its weights, for all of its answers; what a caller says wins. */
export interface BroughtAlong {
  /** Defaults of `generate`, `chat` and sessions. */
  readonly options?: GenerateOptions
  /** Instructions for conversations that do not begin with a message of the system. */
  readonly system?: string
  /** Messages that come before every conversation. */
  readonly messages?: readonly Message[]
  /** What its prompts are made with; absent for the template in its weights. */
  readonly template?: BroughtTemplate
  /** Paths of LoRA adapters that work on answers for which none are chosen. */
  readonly adapterPaths?: readonly string[]
}

/** {@link BroughtAlong} of an open model. */
export interface Defaults {
  readonly options: GenerateOptions
  readonly system: string
  readonly messages: readonly Message[]
}

/** What an open model answers with unless its callers say otherwise. Throws `ERR_OPTION_INVALID`. */
export function defaultsOf(
  { options = {}, system = '', messages = [] }: BroughtAlong,
  adapters: readonly Adapter[],
  limits: Limits,
): Defaults {
  try {
    const fitting = withinContext(options, limits)
    readOptions(generateOptions, fitting, limits)
    return {
      options: adapters.length === 0 ? fitting : { ...fitting, adapters },
      system,
      messages: messages.length === 0 ? [] : normalizeMessages(messages),
    }
  } catch (cause) {
    const reason = cause instanceof LlameroError ? cause.message : ''
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      `What the model brings along is not valid: ${reason} Make a corrected model of it with 'llamero create'.`,
      { cause, ...(cause instanceof LlameroError && { details: cause.details }) },
    )
  }
}

// What looks back over more than the context looks back over all of it, whatever context the caller chose.
function withinContext(options: GenerateOptions, { contextSize }: Limits): GenerateOptions {
  const { repeatLastN, keep } = options
  return {
    ...options,
    ...(repeatLastN !== undefined && { repeatLastN: Math.min(repeatLastN, contextSize) }),
    ...(keep !== undefined && { keep: Math.min(keep, contextSize) }),
  }
}

/** A caller's options over those that hold otherwise; one that is undefined counts as not given. */
export function withDefaults<Options extends object>(options: Options, defaults: Partial<Options>): Options {
  // What is no bag of options is told by who reads them.
  if (typeof options !== 'object' || (options as unknown) === null) return options
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(given) } as Options
}

/** A conversation as the model sees it, in Ollama's order: its instructions, its messages, then those that were given. */
export function opened(messages: readonly Message[], defaults: Defaults): readonly Message[] {
  const behind = [...defaults.messages, ...messages]
  if (defaults.system === '' || messages[0]?.role === 'system') return behind
  return [{ role: 'system', content: defaults.system }, ...behind]
}
