import { displayWidth } from './display-width.js'

const gap = '    '

/** Lines of columns without borders, each column as wide as its widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...lines.map((line) => displayWidth(line[column] ?? ''))))
  return lines.map((line) => `${layOut(line, widths)}\n`).join('')
}

function layOut(cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - displayWidth(cell)))
  return padded.join(gap).trimEnd()
}
