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

/** How often tokens of a draft model were right, by how far their logit was ahead: up to 0.5, 1.5 and 3, and more. */
export interface LeadOdds {
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
  /** Whether it is the first one of so many tokens, which takes longer than later ones. */
  readonly firstOfSize: boolean
  readonly milliseconds: number
  /** What a draft model took for it, beside them. */
  readonly draftingMs: number
  /** And to read what it had not seen yet of the texts. */
  readonly catchingUpMs: number
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
  /** Of a draft model: how likely each token is right if those before it are; 0: the match tells. */
  readonly chance: number
  /** To find one token. */
  readonly tokenMs: number
  /** To find any. */
  readonly fixedMs: number
}

/** The addon's pure functions of speculation. */
export interface DraftAddon {
  /** Reads the first `first` tokens at once and the others one by one, then proposes `count` tokens for what follows. */
  findNgram(tokens: Int32Array, first: number, count: number): NgramMatch
  /** The odds after a token behind a match of that length: was it what had followed there? */
  learnMatch(odds: DraftOdds, length: number, hit: boolean): DraftOdds
  /** The odds after a token of a draft model with that lead: was it what the model said? */
  learnLead(odds: LeadOdds, lead: number, hit: boolean): LeadOdds
  /** After a step in which it was not asked. */
  fadeLeads(odds: LeadOdds): LeadOdds
  /** The chance of a token with that lead, or of any, in a text with the odds `own` among all texts. */
  leadChance(own: LeadOdds, all: LeadOdds, lead: number | undefined): number
  /** The rule of drafts after one more step, and how many tokens it proposes in the next. */
  learnStep(costs: StepCosts, step: StepReport): StepCosts
  draftLength(costs: StepCosts, odds: DraftOdds, question: DraftQuestion): number
}
