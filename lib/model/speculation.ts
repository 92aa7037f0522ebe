import { invalidOption } from '../chat/index.js'
import { boolean, integer } from './option-kinds.js'
import { type OptionRule, type OptionValues, readOptions } from './option-rule.js'

/**
 * Speculation proposes several tokens at once, namely what followed when the text said the same before, or what a draft
 * model or a trained head says, and lets the model verify them in one step. The answer is the one that it would give token
 * by token: each token is sampled as ever, and a proposal only saves it a step of its own. Repetition pays where text is
 * copied: edits, summaries with quotes, code. A draft model or a trained head, with which the model must have been opened,
 * pays with any text if it is much smaller and says the same often.
 */
export interface SpeculationOptions {
  /** Most tokens proposed for one step, 1 to 32. @default 32 */
  readonly maxTokens?: number | undefined
  /**
   * Propose only where it pays, by how often proposals are right and what longer steps take on this machine; false
   * proposes whenever there is something to propose. @default true
   */
  readonly adaptive?: boolean | undefined
  /** Ask the draft model or the trained head too, if the model was opened with one. @default true */
  readonly draft?: boolean | undefined
}

const speculationTable = {
  maxTokens: integer({ min: 1, max: 32, unit: 'tokens', default: 32, doc: 'Most tokens proposed for one step.' }),
  adaptive: boolean({ default: true, doc: 'Propose only where it pays.' }),
  draft: boolean({ default: true, doc: 'Ask the draft model or the trained head too, if there is one.' }),
}

type Values = OptionValues<typeof speculationTable>

const defaults: Values = { maxTokens: speculationTable.maxTokens.default, adaptive: true, draft: true }

/** Off unless it is switched on; undefined is off. */
export const speculationRule: OptionRule<Values | undefined> = {
  unit: '',
  range: `true, false or an object with ${Object.keys(speculationTable).join(', ')}`,
  default: undefined,
  doc: 'Propose tokens that the text has said before, and verify several in one step.',
  read(value, name, limits) {
    if (typeof value === 'boolean') return value ? defaults : undefined
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw invalidOption(name, speculationRule.range, value)
    }
    return readOptions(speculationTable, value, limits, name)
  },
}
