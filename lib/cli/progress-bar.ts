import { byteSize } from './byte-size.js'
import { displayWidth, graphemes } from './display-width.js'
import { timeLeft } from './duration.js'

/** A transfer, or another work whose share is known. */
export interface BarState {
  readonly label: string
  readonly completedBytes: number
  readonly totalBytes: number
  /** Bytes per second; 0 while unknown. */
  readonly rate: number
  readonly isFinished: boolean
}

const narrowestBar = 4

/**
 * One line such as `pulling b179c9523d0e:  45% ▕████     ▏  44 MB/ 98 MB   12 MB/s    4s`, shorter than the terminal is
 * wide; a finished bar shows the total only.
 */
export function progressBar(state: BarState, columns: number): string {
  const { label, completedBytes, totalBytes, isFinished } = state
  const share = totalBytes > 0 ? Math.min(1, completedBytes / totalBytes) : 0
  const before = `${label}: ${String(Math.floor(share * 100)).padStart(3)}% `
  const after = isFinished ? ` ${byteSize(totalBytes).padStart(6)}` : amounts(state)
  // The same room for a finished bar, so that bars stand in a column.
  const room = columns - 1 - displayWidth(before) - amounts(state).length - 2
  if (room < narrowestBar) return fit(before.trimEnd(), columns)
  return `${before}${bar(share, room)}${after.trimEnd()}`
}

/** The part of the line that fits beside the cursor. */
export function fit(line: string, columns: number): string {
  let width = 0
  let fitting = ''
  for (const grapheme of graphemes(line)) {
    width += displayWidth(grapheme)
    if (width >= columns) break
    fitting += grapheme
  }
  return fitting
}

export function bar(share: number, width: number): string {
  const filled = Math.floor(share * width)
  return `▕${'█'.repeat(filled)}${' '.repeat(width - filled)}▏`
}

function amounts({ completedBytes, totalBytes, rate }: BarState): string {
  const transferred = ` ${byteSize(completedBytes).padStart(6)}/${byteSize(totalBytes).padStart(6)}`
  const speed = rate > 0 ? `${byteSize(rate).padStart(8)}/s` : ''
  const left = rate > 0 ? timeLeft((totalBytes - completedBytes) / rate).padStart(8) : ''
  return transferred + speed.padEnd(10) + left.padEnd(8)
}
