/** The part of the native boundary from which sizes and budgets are chosen. */

/** What a model and an engine of it take, in bytes; see `native/memory_need.h` for the formula. */
export interface NativeMemoryNeed {
  readonly weightsBytes: number
  /** Keys and values of one token. */
  readonly cellBytes: number
  /** The state of one sequence in a recurrent model. */
  readonly sequenceBytes: number
  /** Compute buffers, whatever the number of cells. */
  readonly bufferBytes: number
  /** What they grow by with each cell. */
  readonly bufferCellBytes: number
}

/** What the rule for prompts beside running streams has learned; see `native/engine/prefill_budget.h`. */
export interface PrefillPace {
  /** Mean ms of a step of 1, 2, 4 … 256 decodes alone; 0: not known. */
  readonly decodeMs: readonly number[]
  readonly tokenMs: number
  readonly depth: number
  readonly beside: boolean
  readonly mixedSteps: number
}

export interface PaceStep {
  readonly decodes: number
  readonly prompt: number
  readonly depth: number
  readonly ms: number
}

export interface BudgetLimits {
  readonly decodes: number
  readonly depth: number
  readonly addedMs: number
  readonly most: number
}

/** What the thread rule remembers between steps; see `native/engine/threads.h`. Start with threads = maxThreads, slowness 1, the rest 0 or false. */
export interface ThreadState {
  readonly threads: number
  readonly maxThreads: number
  readonly steps: number
  readonly quietCost: number
  readonly slowness: number
  readonly slowCost: number
  readonly reducedCost: number
  readonly stepsUntilProbe: number
  readonly probeInterval: number
  readonly probesPassed: number
  readonly judging: boolean
  readonly probing: boolean
}
