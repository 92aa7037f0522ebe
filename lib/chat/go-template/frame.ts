import type { Fuel } from './fuel.js'
import type { Functions } from './functions.js'
import type { Scope } from './scope.js'
import type { GoValue } from './value.js'

/** What an execution works with, wherever it stands. */
export interface Machine {
  readonly functions: Functions
  readonly fuel: Fuel
  /** Where in the source the work is, for the error that may come. */
  at: number
}

/** Where an evaluation stands. */
export interface Frame {
  readonly machine: Machine
  readonly scope: Scope
  readonly dot: GoValue
}
