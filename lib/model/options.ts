import { invalidOption, prepareJson, prepareSchema, type PreparedSchema, type Schema } from '../chat/index.js'
import { parameters } from '../parameters.js'
import type { Adapter, ScaledAdapter } from './adapter.js'
import { scaledAdapters } from './adapter-option.js'
import { checkGrammar } from './grammar.js'
import { logitBias } from './logit-bias.js'
import { abortSignal, boolean, group, integer, number, oneOf, strings, text } from './option-kinds.js'
import { overflows, type Overflow } from './overflow.js'
import { converterOf, type OptionRule, type OptionTable, type OptionValues } from './option-rule.js'
import { checkText } from './prompt.js'
import { type SpeculationOptions, speculationRule } from './speculation.js'

/** With whom a request shares what is computed of its prompt. */
export interface CacheOptions {
  /**
   * Requests share only with those of the same key, up to 256 bytes: one per tenant keeps one from finding out, by how
   * long it waits, what another has asked. @default '' (shared with all that give none)
   */
  readonly key?: string | undefined
}

/** Penalises the repetition of whole sequences ("don't repeat yourself"). Names and defaults: llama.cpp. */
export interface DryOptions {
  /** Strength, 0 to 100; 0 is off. @default 0.8 */
  readonly multiplier?: number | undefined
  /** Growth of the penalty per repeated token, 1 to 100. @default 1.75 */
  readonly base?: number | undefined
  /** Repetitions up to this many tokens are free, 0 to the context size. @default 2 */
  readonly allowedLength?: number | undefined
  /** Tokens looked back, -1 (all) to the context size; 0 is off. @default -1 */
  readonly lastN?: number | undefined
  /** A repetition ends at these: up to 64 strings of 1 to 40 bytes. @default ['\n', ':', '"', '*'] */
  readonly breakers?: readonly string[] | string | undefined
}

/** Now and then removes the likeliest tokens ("exclude top choices"). Names and defaults: llama.cpp. */
export interface XtcOptions {
  /** How often, 0 to 1; 0 is off. @default 0.5 */
  readonly probability?: number | undefined
  /** Tokens above this probability are candidates for removal, 0 to 0.5. @default 0.1 */
  readonly threshold?: number | undefined
}

/** Holds the surprise of the text constant; replaces topK, topP, minP and typicalP. Names and defaults: llama.cpp. */
export interface MirostatOptions {
  /** Of the algorithm, 1 or 2. @default 2 */
  readonly version?: 1 | 2 | undefined
  /** Wanted surprise in bits, 0 to 100. @default 5 */
  readonly tau?: number | undefined
  /** Speed of adaptation, 0 to 1. @default 0.1 */
  readonly eta?: number | undefined
}

/**
 * How an answer is sampled and where it ends. Every value is checked at the call: a wrong one throws
 * `ERR_OPTION_INVALID` with the option's name, what was expected and what was got. Defaults are Ollama's.
 */
export interface GenerateOptions<Answer extends Schema = Schema> {
  /** Most tokens of the answer, 1 to 2,147,483,647. @default until the context is full */
  readonly maxTokens?: number | undefined
  /** The answer ends before the first of these: up to 64 strings of 1 to 256 bytes. @default none */
  readonly stop?: readonly string[] | string | undefined
  /** Go on after the model's own end token. @default false */
  readonly ignoreEos?: boolean | undefined
  /**
   * Same seed, same model, same machine: same answer, as long as rounding does not decide between two tokens; it depends
   * on the number of threads and on what runs in the same batches. 0 to 4,294,967,294. @default random
   */
  readonly seed?: number | undefined
  /** 0 takes the likeliest token, higher values spread, 0 to 100. @default 0.8 */
  readonly temperature?: number | undefined
  /** Keep so many of the likeliest tokens, 0 (all) to 2,147,483,647. @default 40 */
  readonly topK?: number | undefined
  /** Keep the likeliest tokens up to this share of the probability, 0 to 1 (all). @default 0.9 */
  readonly topP?: number | undefined
  /** Drop tokens less likely than this share of the likeliest one, 0 (none) to 1. @default 0 */
  readonly minP?: number | undefined
  /** Locally typical sampling, 0 to 1 (off). @default 1 */
  readonly typicalP?: number | undefined
  /** Divides the scores of recent tokens, 0.01 to 100; 1 is off. @default 1 */
  readonly repeatPenalty?: number | undefined
  /** How many tokens count as recent, -1 (the context size) to the context size; 0 is none. @default 64 */
  readonly repeatLastN?: number | undefined
  /** Subtracted from the score of every recent token, -100 to 100. @default 0 */
  readonly presencePenalty?: number | undefined
  /** Subtracted once per occurrence of a recent token, -100 to 100. @default 0 */
  readonly frequencyPenalty?: number | undefined
  /** Penalises repeated sequences; `{}` turns it on. @default off */
  readonly dry?: DryOptions | undefined
  /** Excludes top choices; `{}` turns it on. @default off */
  readonly xtc?: XtcOptions | undefined
  /** Holds the surprise constant; `{}` turns it on. @default off */
  readonly mirostat?: MirostatOptions | undefined
  /** Added to scores by token id: up to 1,024 tokens of the vocabulary, each -1,000 to 1,000. @default none */
  readonly logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number> | undefined
  /** Report log probabilities with so many alternatives per token, 0 to 20. @default off */
  readonly logprobs?: number | undefined
  /**
   * The answer must follow this GBNF grammar with a rule `root`, up to 64 KiB. Throws `ERR_GRAMMAR` when it is
   * malformed or beyond its limits. @default none
   */
  readonly grammar?: string | undefined
  /**
   * The answer is JSON that follows this: a Standard Schema (zod, valibot, arktype, …) or a JSON schema. A grammar holds
   * the model to it, and the result's `object` is checked; what a grammar can't hold is checked only then, with
   * `ERR_OUTPUT_INVALID`. Throws `ERR_SCHEMA_UNSUPPORTED`. Not together with `grammar`. @default none
   */
  readonly schema?: Answer | undefined
  /** The answer is any JSON object. @default false */
  readonly json?: boolean | undefined
  /**
   * Adapters of this model that work on the answer, alone or with a scale: up to 16, each once. Requests of different
   * adapters or scales take turns instead of being computed together, and share nothing of their prompts. Throws
   * `ERR_DISPOSED` for a closed adapter. @default none
   */
  readonly adapters?: readonly (Adapter | ScaledAdapter)[] | undefined
  /**
   * What follows the gap that the answer is to fill; only for `generate`, whose prompt then is what goes before it. Both
   * are plain text: special tokens in them stay text. An empty suffix counts as none. Throws `ERR_UNSUPPORTED` unless
   * `info.canInfill`. @default none
   */
  readonly suffix?: string | undefined
  /** Who goes first when not all can run, -1,000 to 1,000: higher before lower, then in order of arrival. @default 0 */
  readonly priority?: number | undefined
  /**
   * Most time from the request's entry into the engine to its end, 1 to 2,147,483,647 ms; then it rejects with
   * `ERR_TIMEOUT`, whose `details` say how far it came, and its place is free. @default no limit
   */
  readonly timeoutMs?: number | undefined
  /** The same for the time until it runs for the first time, 1 to 2,147,483,647 ms. @default no limit */
  readonly queueTimeoutMs?: number | undefined
  /** With whom the computed beginning of the prompt is shared. @default shared with all that give no key */
  readonly cache?: CacheOptions | undefined
  /**
   * What happens when the context is too small. `error`: a prompt that does not fit gives `ERR_CONTEXT_FULL`, and an
   * answer that reaches the end has the finish reason `context-full`. `truncate`: the prompt is made to fit first, with
   * room for `maxTokens` (at most half of the context; without it an eighth): a conversation loses its oldest turns, never
   * messages of the system nor the last turn, and a raw prompt keeps its first `keep` tokens and its latest half.
   * `shift`: the same, and an answer that reaches the end goes on after all but the first `keep` tokens and the latest
   * half are dropped, up to 10 times the context if `maxTokens` is not given. What goes is lost to the model; the rest is
   * computed again. @default 'error'
   */
  readonly overflow?: Overflow | undefined
  /**
   * Tokens at the beginning, beside BOS, that `truncate` and `shift` never drop, -1 (the whole prompt) to the context
   * size. @default 4
   */
  readonly keep?: number | undefined
  /**
   * Save steps where the text repeats what was there before, or where the draft model guesses what comes; see
   * {@link SpeculationOptions}. Models whose memory can't be cut (recurrent, hybrid, with sliding windows) never do.
   * @default false
   */
  readonly speculation?: boolean | SpeculationOptions | undefined
  /** Send `progress` parts while the prompt is computed. @default false */
  readonly progress?: boolean | undefined
  /** Ends the generation; it then rejects with `signal.reason`, as `fetch` does. @default none */
  readonly signal?: AbortSignal | undefined
}

const dryTable = {
  multiplier: number({ min: 0, max: 100, default: 0.8, doc: 'Strength; 0 is off.' }),
  base: number({ min: 1, max: 100, default: 1.75, doc: 'Growth of the penalty per repeated token.' }),
  allowedLength: integer({ min: 0, max: 'contextSize', unit: 'tokens', default: 2, doc: 'Free repetition length.' }),
  lastN: integer({ min: -1, max: 'contextSize', unit: 'tokens', default: -1, doc: 'Tokens looked back; -1 is all.' }),
  breakers: strings({ maxCount: 64, maxBytes: 40, default: ['\n', ':', '"', '*'], doc: 'A repetition ends at these.' }),
}

const xtcTable = {
  probability: number({ min: 0, max: 1, default: 0.5, doc: 'How often top choices are excluded; 0 is off.' }),
  threshold: number({ min: 0, max: 0.5, default: 0.1, doc: 'Probability above which a token may be excluded.' }),
}

const mirostatTable = {
  version: integer({ min: 1, max: 2, default: 2, doc: 'Version of the algorithm.' }),
  tau: number({ min: 0, max: 100, unit: 'bits', default: 5, doc: 'Wanted surprise.' }),
  eta: number({ min: 0, max: 1, default: 0.1, doc: 'Speed of adaptation.' }),
}

export const cacheTable = {
  key: text({ maxBytes: 256, default: '', doc: 'Computed prompts are shared only among requests of one key.' }),
}

const grammarRule: OptionRule<string> = {
  unit: '',
  range: 'a GBNF grammar with a rule root, up to 64 KiB',
  default: '',
  doc: 'The answer must follow this grammar.',
  read: (value, _name, { vocabularySize }) => checkGrammar(value, vocabularySize),
}

const schemaRule: OptionRule<PreparedSchema | undefined> = {
  unit: '',
  range: 'a Standard Schema or a JSON schema',
  default: undefined,
  doc: 'The answer is JSON that follows this.',
  read: (value, _name, limits) => prepareSchema(value as Schema, converterOf(limits)),
}

const jsonRule: OptionRule<PreparedSchema | undefined> = {
  unit: '',
  range: 'true or false',
  default: undefined,
  doc: 'The answer is any JSON object.',
  read(value, name, limits) {
    if (typeof value !== 'boolean') throw invalidOption(name, 'true or false', value)
    return value ? prepareJson(converterOf(limits)) : undefined
  },
}

const suffixRule: OptionRule<string | undefined> = {
  unit: '',
  range: 'a string',
  default: undefined,
  doc: 'What follows the gap that the answer fills.',
  read: (value, name, { contextSize }) => checkText(value, name, contextSize) || undefined,
}

const milliseconds = { min: 1, max: 2 ** 31 - 1, unit: 'ms', default: undefined }

/**
 * Every option of `generate` and `chat`: unit, range, default and meaning. Caps: `stop` 64 × 256 bytes, `logitBias`
 * 1,024 tokens, `repeatLastN` the context size; defaults are Ollama's.
 */
export const generateOptions = {
  maxTokens: integer(parameters.num_predict),
  stop: strings(parameters.stop),
  ignoreEos: boolean({ default: false, doc: "Go on after the model's own end token." }),
  seed: integer(parameters.seed),
  temperature: number(parameters.temperature),
  topK: integer(parameters.top_k),
  topP: number(parameters.top_p),
  minP: number(parameters.min_p),
  typicalP: number(parameters.typical_p),
  repeatPenalty: number(parameters.repeat_penalty),
  repeatLastN: integer(parameters.repeat_last_n),
  presencePenalty: number(parameters.presence_penalty),
  frequencyPenalty: number(parameters.frequency_penalty),
  dry: group(dryTable, 'Penalises repeated sequences.'),
  xtc: group(xtcTable, 'Excludes top choices now and then.'),
  mirostat: group(mirostatTable, 'Holds the surprise of the text constant.'),
  logitBias: logitBias('Added to the scores of tokens.'),
  logprobs: integer({ min: 0, max: 20, unit: 'tokens', default: undefined, doc: 'Alternatives reported per token.' }),
  grammar: grammarRule,
  schema: schemaRule,
  json: jsonRule,
  adapters: scaledAdapters('Adapters that work on the answer.'),
  suffix: suffixRule,
  priority: integer({ min: -1000, max: 1000, default: 0, doc: 'Higher goes first when not all can run.' }),
  timeoutMs: integer({ ...milliseconds, doc: 'Most time from the entry into the engine to the end.' }),
  queueTimeoutMs: integer({ ...milliseconds, doc: 'Most time until it runs for the first time.' }),
  cache: group(cacheTable, 'With whom the computed beginning of the prompt is shared.'),
  overflow: oneOf(overflows, { default: 'error', doc: 'What happens when the context is too small.' }),
  keep: integer(parameters.num_keep),
  speculation: speculationRule,
  progress: boolean({ default: false, doc: 'Send progress parts while the prompt is computed.' }),
  signal: abortSignal('Ends the generation; it then rejects with the reason of the signal.'),
} as const satisfies OptionTable & Record<keyof GenerateOptions, unknown>

/** {@link GenerateOptions} once checked, with defaults filled in. */
export type GenerateValues = OptionValues<typeof generateOptions>

/** What holds for answers of every kind. */
export type AnswerValues = Omit<GenerateValues, 'suffix'>
