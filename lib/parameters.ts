/** What a parameter of a model may be, whoever sets it. A parameter with neither `load` nor `generate` is only kept. */
interface ParameterRow {
  /** The option of `load` that it sets. */
  readonly load?: string
  /** The option of `generate` and `chat` that it sets. */
  readonly generate?: string
  /** What it counts. */
  readonly unit?: string
  /** One sentence for people. */
  readonly doc: string
}

/** A parameter that is a number within bounds. */
export interface NumberParameter extends ParameterRow {
  readonly kind: 'integer' | 'number'
  readonly min: number
  /** A number, or the context size of the model. */
  readonly max: number | 'contextSize'
  /** A value below `min` is no mistake but says the same as leaving the parameter out. */
  readonly lowIsUnset?: true
  readonly default: number | undefined
}

/** A parameter that is on or off. */
export interface BooleanParameter extends ParameterRow {
  readonly kind: 'boolean'
  readonly default: boolean
}

/** A parameter that may be set several times and gathers its texts. */
export interface StringsParameter extends ParameterRow {
  readonly kind: 'strings'
  readonly maxCount: number
  /** Most bytes of one text in UTF-8; the least is 1. */
  readonly maxBytes: number
  readonly default: readonly string[]
}

/** One row of {@link parameters}. */
export type Parameter = NumberParameter | BooleanParameter | StringsParameter

const highest = 2 ** 31 - 1
const penalty = { kind: 'number', min: -100, max: 100, default: 0 } as const

/**
 * The parameters that a Modelfile sets, under Ollama's names, each with the option of llamero that it is. Options take
 * their ranges and defaults from here, so that both are checked alike; defaults are Ollama's where llamero has no own.
 */
export const parameters = {
  num_ctx: {
    kind: 'integer',
    load: 'contextSize',
    min: 16,
    max: 2 ** 24,
    unit: 'tokens',
    default: undefined,
    doc: 'Most tokens of one request; the trained size, at most 8,192, if absent.',
  },
  num_batch: {
    kind: 'integer',
    min: 1,
    max: highest,
    lowIsUnset: true,
    unit: 'tokens',
    default: 512,
    doc: 'Tokens computed at once.',
  },
  num_gpu: {
    kind: 'integer',
    load: 'gpuLayers',
    min: -1,
    max: 1_000_000,
    unit: 'layers',
    default: -1,
    doc: 'Layers on a GPU; -1 is all.',
  },
  main_gpu: {
    kind: 'integer',
    min: 0,
    max: highest,
    lowIsUnset: true,
    default: undefined,
    doc: 'The only GPU to use.',
  },
  use_mmap: {
    kind: 'boolean',
    load: 'memoryMap',
    default: true,
    doc: 'Map the file into memory instead of reading it.',
  },
  num_thread: {
    kind: 'integer',
    load: 'threads',
    min: 1,
    max: 512,
    lowIsUnset: true,
    default: undefined,
    doc: 'Most compute threads; one per core if absent, at most 4 with a GPU.',
  },
  draft_num_predict: {
    kind: 'integer',
    min: 0,
    max: highest,
    lowIsUnset: true,
    unit: 'tokens',
    default: undefined,
    doc: 'Most tokens that a draft model or a trained head proposes for one step; a head does if it is set.',
  },
  num_keep: {
    kind: 'integer',
    generate: 'keep',
    min: -1,
    max: 'contextSize',
    unit: 'tokens',
    default: 4,
    doc: 'Tokens at the beginning that overflow never drops; -1 is the whole prompt.',
  },
  seed: {
    kind: 'integer',
    generate: 'seed',
    min: 0,
    // 2³² - 1 is llama.cpp's mark for a random seed.
    max: 2 ** 32 - 2,
    lowIsUnset: true,
    default: undefined,
    doc: 'Makes sampling repeatable; random if absent.',
  },
  num_predict: {
    kind: 'integer',
    generate: 'maxTokens',
    min: 1,
    max: highest,
    lowIsUnset: true,
    unit: 'tokens',
    default: undefined,
    doc: 'Most tokens of the answer.',
  },
  top_k: {
    kind: 'integer',
    generate: 'topK',
    min: 0,
    max: highest,
    unit: 'tokens',
    default: 40,
    doc: 'Keep so many of the likeliest; 0 is all.',
  },
  top_p: {
    kind: 'number',
    generate: 'topP',
    min: 0,
    max: 1,
    default: 0.9,
    doc: 'Keep the likeliest up to this share of the probability.',
  },
  min_p: {
    kind: 'number',
    generate: 'minP',
    min: 0,
    max: 1,
    default: 0,
    doc: 'Drop tokens less likely than this share of the likeliest.',
  },
  typical_p: {
    kind: 'number',
    generate: 'typicalP',
    min: 0,
    max: 1,
    default: 1,
    doc: 'Locally typical sampling; 1 is off.',
  },
  repeat_last_n: {
    kind: 'integer',
    generate: 'repeatLastN',
    min: -1,
    max: 'contextSize',
    unit: 'tokens',
    default: 64,
    doc: 'How many tokens count as recent; -1 is the context size, 0 none.',
  },
  temperature: {
    kind: 'number',
    generate: 'temperature',
    min: 0,
    max: 100,
    default: 0.8,
    doc: '0 takes the likeliest token, higher values spread.',
  },
  repeat_penalty: {
    kind: 'number',
    generate: 'repeatPenalty',
    min: 0.01,
    max: 100,
    default: 1,
    doc: 'Divides the scores of recent tokens; 1 is off.',
  },
  presence_penalty: {
    ...penalty,
    generate: 'presencePenalty',
    doc: 'Subtracted from the score of every recent token.',
  },
  frequency_penalty: {
    ...penalty,
    generate: 'frequencyPenalty',
    doc: 'Subtracted once per occurrence of a recent token.',
  },
  stop: {
    kind: 'strings',
    generate: 'stop',
    maxCount: 64,
    maxBytes: 256,
    default: [],
    doc: 'The answer ends before the first of these.',
  },
} as const satisfies Record<string, Parameter>

/** The name of a parameter, such as `top_k`. */
export type ParameterName = keyof typeof parameters

/** What the value of a parameter is in a program. */
export type ParameterValue<Row extends Parameter> = Row extends NumberParameter
  ? number
  : Row extends BooleanParameter
    ? boolean
    : readonly string[]

/** Values of parameters by their names, as a model's `params` layer holds them. */
export type ParameterValues = { readonly [Name in ParameterName]?: ParameterValue<(typeof parameters)[Name]> }

/** The options that parameters set in one place, by their names there. */
export type OptionsOfParameters<Use extends 'load' | 'generate'> = {
  readonly [
    Name in ParameterName as (typeof parameters)[Name] extends Record<Use, infer Option extends string> ? Option : never
  ]?: ParameterValue<(typeof parameters)[Name]>
}

/** What parameters mean to `load`, and to `generate` and `chat`. */
export interface ParameterOptions {
  /** Spread these into the options of `load`. */
  readonly load: OptionsOfParameters<'load'>
  /** Spread these into the options of `generate`, `chat` and `session.chat`. */
  readonly generate: OptionsOfParameters<'generate'>
}

/** Whether this is the name of a parameter. */
export function isParameterName(name: string): name is ParameterName {
  return Object.hasOwn(parameters, name)
}

/**
 * The options of llamero that parameters stand for. A number that says "not set" in Ollama (`seed -1`, `num_predict -1`)
 * gives none; `num_batch` and `main_gpu` have none, and `draft_num_predict` means something only to a stored
 * model that has a draft model or a trained head.
 */
export function parameterOptions(values: ParameterValues): ParameterOptions {
  const load: Record<string, unknown> = {}
  const generate: Record<string, unknown> = {}
  for (const [name, row] of Object.entries<Parameter>(parameters)) {
    const value = values[name as ParameterName]
    if (value === undefined) continue
    if ('lowIsUnset' in row && Number(value) < row.min) continue
    if (row.load !== undefined) load[row.load] = value
    if (row.generate !== undefined) generate[row.generate] = value
  }
  return { load, generate }
}
