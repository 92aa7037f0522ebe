import type { TransferProgress } from '../transfer/index.js'
import { byteSize } from './byte-size.js'
import type { Output } from './output.js'
import { fit, progressBar } from './progress-bar.js'
import { ProgressDisplay, spinner } from './progress-display.js'

const stoppedPull = 'Stopped. What has arrived is kept for the next pull.'

/** Shows a pull or a push on standard error. */
export interface PullReporter {
  report(news: TransferProgress): void
  /** It is over: complete, failed, or stopped by the person who waits for it. */
  end(outcome: { readonly isStopped: boolean }): void
}

/** Bars on a terminal; elsewhere one plain line per stage. */
export function reportPull(output: Output, stoppedText = stoppedPull): PullReporter {
  return output.canRedraw ? barReporter(output, stoppedText) : lineReporter(output, stoppedText)
}

function barReporter(output: Output, stoppedText: string): PullReporter {
  const stages = new PullStages()
  const display = new ProgressDisplay(output, (columns) => stages.lines(columns, spinner()))
  return {
    report: (news) => stages.add(news),
    end: ({ isStopped }) => {
      stages.end()
      display.keep()
      if (isStopped) tell(output, stoppedText)
    },
  }
}

function lineReporter(output: Output, stoppedText: string): PullReporter {
  let shown: string | undefined
  return {
    report: ({ status }) => {
      if (status === shown) return
      shown = status
      tell(output, status)
    },
    end: ({ isStopped }) => {
      if (isStopped) tell(output, stoppedText)
    },
  }
}

// Nobody may listen any more; the pull goes on.
function tell(output: Output, line: string): void {
  output.print(`${line}\n`).catch(() => undefined)
}

/** The stages of a pull so far, each with its latest news. */
export class PullStages {
  readonly #stages = new Map<string, TransferProgress>()
  #isOver = false

  add(news: TransferProgress): void {
    // A transfer appears with its first byte, as in Ollama: until then the stage before it is still under way.
    if (news.digest !== undefined && !news.completed) return
    this.#stages.set(`${news.status} ${news.digest ?? ''}`, news)
  }

  end(): void {
    this.#isOver = true
  }

  /** One line per stage; only the last one moves. */
  lines(columns: number, spin: string): string[] {
    const stages = [...this.#stages.values()]
    return stages.map((stage, index) =>
      fit(stageLine(stage, { columns, spin, isUnderWay: !this.#isOver && index === stages.length - 1 }), columns),
    )
  }
}

interface Look {
  readonly columns: number
  readonly spin: string
  readonly isUnderWay: boolean
}

function stageLine({ status, completed, total, ratePerSecond = 0 }: TransferProgress, look: Look): string {
  if (completed === undefined) return look.isUnderWay ? `${status} ${look.spin}` : status
  if (total === undefined) return `${status}: ${byteSize(completed)}`
  const isFinished = completed >= total
  const state = { label: status, completedBytes: completed, totalBytes: total, rate: ratePerSecond, isFinished }
  return progressBar(state, look.columns)
}
