import { Refusal } from './fault.js'
import { templateLimits } from './limits.js'

/** UTF-16 units of text that cost one step. */
const unitsPerStep = 256

/** Steps that a UTF-16 unit costs that is looked at by itself. */
const stepsPerUnit = 1.5

/** The steps that a rendering has left. */
export class Fuel {
  #left: number = templateLimits.steps

  /** Throws a {@link Refusal} when none is left. */
  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new Refusal(`more than ${templateLimits.steps} steps; the template works without end`)
  }

  /** For a text each character of which is looked at by itself. */
  spendOnText({ length }: string): void {
    this.spend(stepsPerUnit * length)
  }

  /** For a text, or a list, that is read or copied as a whole. */
  spendOnLength(length: number): void {
    this.spend(length / unitsPerStep)
  }
}
