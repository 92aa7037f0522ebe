import { constants } from 'node:os'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** What people and systems end a program with; SIGINT is Ctrl-C. */
export type StopSignal = (typeof signals)[number]

/** A wish from outside to stop. */
export interface Interruption {
  /** Aborts at the first wish. */
  readonly signal: AbortSignal
  /** Which it was. */
  readonly cause: StopSignal | undefined
}

/** The exit code of a program that a signal ended, as shells count. */
export function exitCodeOf(signal: StopSignal): number {
  return 128 + constants.signals[signal]
}

/** Turns the first signal into an abort, so that everything can be put in order; the second ends the process at once. */
export function watchSignals(): Interruption {
  const controller = new AbortController()
  let cause: StopSignal | undefined
  for (const name of signals) {
    process.on(name, () => {
      if (cause !== undefined) process.exit(exitCodeOf(name))
      cause = name
      controller.abort()
    })
  }
  return {
    signal: controller.signal,
    get cause() {
      return cause
    },
  }
}
