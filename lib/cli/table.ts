import { displayWidth } from './display-width.js'

const gap = '    '

/** Lines of columns without borders, each column as wide as its widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return columns([header, ...rows])
}

/** As {@link table}, but without a header, and each line indented. */
export function columns(rows: readonly (readonly string[])[], indent = ''): string {
  const count = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: count }, (_, column) => {
    const cells = rows.map((row) => displayWidth(row[column] ?? ''))
    return cells.reduce((most, width) => Math.max(most, width), 0)
  })
  return rows.map((row) => `${indent}${layOut(row, widths)}\n`).join('')
}

function layOut(cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - displayWidth(cell)))
  return padded.join(gap).trimEnd()
}
