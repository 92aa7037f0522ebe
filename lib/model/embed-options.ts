import { abortSignal, boolean, integer, oneOf } from './option-kinds.js'
import type { OptionRule, OptionTable, OptionValues } from './option-rule.js'
import { poolings, type Pooling } from './pooling.js'

/** How texts become vectors. A wrong value rejects with `ERR_OPTION_INVALID`. */
export interface EmbedOptions {
  /**
   * How the vectors of a text's tokens become one: `mean`, `cls` (the first), `last`; `none` gives those of all tokens one
   * after the other in one array, `rank` the scores of a reranker's classifier.
   * @default what the model's file asks for, else 'mean'
   */
  readonly pooling?: Pooling | undefined
  /** Scale each vector to length 1, so that a product of two is their cosine similarity. @default true */
  readonly normalize?: boolean | undefined
  /**
   * Keep so many numbers of each vector, 1 to the model's `embeddingSize`; they are cut before they are normalised. Only
   * of use with models that were trained for it (Matryoshka). @default all
   */
  readonly dimensions?: number | undefined
  /**
   * Cut what is longer than the model's `contextSize`, keeping the token that ends a text; `false` rejects with
   * `ERR_CONTEXT_FULL` instead. @default true
   */
  readonly truncate?: boolean | undefined
  /** Ends the call; it then rejects with `signal.reason`. @default none */
  readonly signal?: AbortSignal | undefined
}

/** How documents are ranked. A wrong value rejects with `ERR_OPTION_INVALID`. */
export interface RerankOptions {
  /** Give only so many of the best, 1 to 65,536. @default all */
  readonly topN?: number | undefined
  /** Cut documents that don't fit beside the query; `false` rejects with `ERR_CONTEXT_FULL` instead. @default true */
  readonly truncate?: boolean | undefined
  /** Ends the call; it then rejects with `signal.reason`. @default none */
  readonly signal?: AbortSignal | undefined
}

/** Most inputs or documents of one call. */
export const mostInputs = 65_536

const poolingRule: OptionRule<Pooling | undefined> = {
  ...oneOf<Pooling>(poolings, { default: 'mean', doc: "How tokens' vectors become one; the model's own if absent." }),
  default: undefined,
}

/** Every option of `embed`: unit, range, default and meaning. */
export const embedOptions = {
  pooling: poolingRule,
  normalize: boolean({ default: true, doc: 'Scale each vector to length 1.' }),
  dimensions: integer({
    min: 1,
    max: 2 ** 31 - 1,
    unit: 'numbers',
    default: undefined,
    doc: 'Numbers kept of each vector; all if absent.',
  }),
  truncate: boolean({ default: true, doc: 'Cut inputs that are longer than the context.' }),
  signal: abortSignal('Ends the call.'),
} as const satisfies OptionTable & Record<keyof EmbedOptions, unknown>

/** Every option of `rerank`. */
export const rerankOptions = {
  topN: integer({ min: 1, max: mostInputs, unit: 'documents', default: undefined, doc: 'How many of the best.' }),
  truncate: boolean({ default: true, doc: 'Cut documents that do not fit beside the query.' }),
  signal: abortSignal('Ends the call.'),
} as const satisfies OptionTable & Record<keyof RerankOptions, unknown>

export type EmbedValues = OptionValues<typeof embedOptions>
export type RerankValues = OptionValues<typeof rerankOptions>
