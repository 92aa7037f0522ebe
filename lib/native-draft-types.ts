/** The part of the native boundary that finds and measures proposed tokens, for property tests. */

/** Where the last tokens of a sequence occurred before, and what followed there. */
export interface NgramMatch {
  /** How many of the last tokens agree, at most 16; 0: none. */
  readonly length: number
  readonly tokens: Int32Array
}

/** How often what had followed a match followed again, by the length of the match: from 2, 4, 8 and 16 tokens. */
export interface DraftOdds {
  readonly hits: readonly number[]
  readonly tries: readonly number[]
}

/** What the rule of drafts knows of an engine's steps; see `native/engine/draft_rule.h`. Start with balance 1, the rest 0. */
export interface StepCosts {
  /** ms of a step of one token. */
  readonly single: number
  /** Of steps of 2, 4, 8, 16, 32 and 64 tokens, relative to that. */
  readonly ratio: readonly number[]
  readonly balance: number
  readonly drafted: number
}

/** A step of generating sequences. */
export interface StepReport {
  readonly tokens: number
  readonly drafted: number
  readonly accepted: number
  readonly milliseconds: number
}

export interface DraftQuestion {
  /** Tokens of the step without the draft in question. */
  readonly tokens: number
  /** Tokens that it is expected to give so. */
  readonly expected: number
  /** Length of the sequence's match. */
  readonly length: number
  /** Most tokens to propose. */
  readonly most: number
}
