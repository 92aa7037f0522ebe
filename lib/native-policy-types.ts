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
  /** The share of all that which lies on GPUs, 0 to 1. */
  readonly gpuShare: number
}

/** Bytes that can still be taken; 0: not known, or no such memory. */
export interface NativeFreeMemory {
  readonly mainBytes: number
  readonly gpuBytes: number
}

/** What the rule for prompts beside running streams has learned; see `native/engine/prefill_budget.h`. */
export interface PrefillPace {
  /** Mean ms of a step of 1, 2, 4 … 256 decodes alone; 0: not known. */
  readonly decodeMs: readonly number[]
  readonly tokenMs: number
  readonly depth: number
  readonly beside: boolean
  readonly mixedSteps: number
  /** Of a step of decodes alone that took much longer than expected, once; 0: none. */
  readonly doubtMs: number
}

export interface PaceStep {
  readonly decodes: number
  readonly prompt: number
  readonly depth: number
  /** 0: what it took says nothing. */
  readonly ms: number
  /** Its prompts were computed in slices. */
  readonly sliced: boolean
}

export interface BudgetLimits {
  readonly decodes: number
  readonly depth: number
  readonly deepest: number
  readonly addedMs: number
  /** Prompts may add so much, up to `addedMs`, also to a short step. */
  readonly leastAddedMs: number
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

/** The plan function's input: one sequence with tokens known and a smaller number computed. */
export interface PlanSequence {
  readonly id: number
  /** Tokens known: the prompt and what was generated. */
  readonly known: number
  /** Tokens whose keys and values are in the cache. */
  readonly computed: number
  readonly parked: boolean
  /** Whether the step is one of another adapter set: it keeps its rank, but does not run. */
  readonly waits: boolean
  readonly priority: number
  /** Order of arrival. */
  readonly arrival: number
  /** Of `computed`, cells that no other running sequence uses: what it frees when it is preempted. */
  readonly own: number
  /** Without a slot: tokens that lie computed already, from another's prefix. */
  readonly reusable: number
  /** Of `reusable`, cells that running sequences use: they cost nothing more. */
  readonly taken: number
  /** Whether it has produced a token already (its prompt was computed once). */
  readonly generating: boolean
  /** Tokens proposed behind the known ones. */
  readonly draft: number
  /** Where a run of it ends at the latest; 0: nowhere. */
  readonly boundary: number
  /** And not before. */
  readonly whole: boolean
}

export interface PlanLimits {
  readonly batchSize: number
  readonly maxSequences: number
  readonly cells: number
  /** Cells that several running sequences use. */
  readonly shared: number
  /** Most prompt tokens in a step that also carries generating sequences. */
  readonly prefillBudget: number
  /** And of prompts that begin and end in it, the former included unless sliced. */
  readonly briefBudget: number
  /** With slices, a prompt of at most so many tokens waits for a step with room for all of it. */
  readonly briefSize: number
  /** Most proposed tokens in a step. */
  readonly draftBudget: number
  /** Prompts beside generating sequences are computed in slices between the steps. */
  readonly slices: boolean
}

export interface PlanRun {
  readonly id: number
  readonly from: number
  readonly count: number
  readonly sample: boolean
  readonly draft: number
}

export interface Plan {
  /**
   * Tokens [from, from + count) of the sequence run in this step, the last `draft` of them proposed ones. Rows are
   * sampled from the last known token on, if they reach that.
   */
  readonly runs: readonly PlanRun[]
  /** Of prompts: computed beside this step and those that follow. Never a prompt's last token, so nothing is sampled. */
  readonly sliced: readonly PlanRun[]
  /** Sequences that lose their cells and start over (recompute), in this order, before the runs. */
  readonly preempted: readonly number[]
}
