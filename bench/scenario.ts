import type { Readings } from './measure.js'

/** A figure, alone or beside a reference that was read alternately with it. */
export interface Row {
  readonly name: string
  readonly unit: string
  readonly ours: Readings
  readonly beside?: { readonly name: string; readonly readings: Readings }
  /** What must hold, of the median ratio to the reference or of the median itself. */
  readonly target?: { readonly of: 'ratio' | 'value'; readonly atLeast: number } | Target
}

interface Target {
  readonly of: 'ratio' | 'value'
  readonly atMost: number
}

/** What every scenario gets. */
export interface Bench {
  readonly modelPath: string
  readonly rounds: number
  /** Says on the terminal what goes on. */
  readonly say: (line: string) => void
}

/** One figure over another, for several sides. */
export interface Curves {
  readonly title: string
  readonly x: string
  /** Of the x axis. @default 'logarithmic' */
  readonly scale?: 'linear' | 'logarithmic'
  readonly y: string
  readonly series: readonly { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] }[]
}

export interface Findings {
  readonly rows: readonly Row[]
  /** Drawn beside the ratios. */
  readonly curves?: Curves
  /** Settings and whatever a reader must know to judge the figures. */
  readonly notes: readonly string[]
}

export interface Scenario {
  readonly name: string
  readonly title: string
  run(bench: Bench): Promise<Findings>
}

/** Compute threads on both sides, as on the machines that the targets were set for. */
export const threads = 2
