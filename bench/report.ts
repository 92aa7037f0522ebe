import { ratios, spread, type Readings } from './measure.js'
import type { Findings, Row, Scenario } from './scenario.js'

/** Whether a row's target holds; `undefined` without one. */
export function meets(row: Row): boolean | undefined {
  const { target } = row
  if (target === undefined) return undefined
  const { median } = spread(target.of === 'ratio' ? ratioOf(row) : row.ours)
  return 'atLeast' in target ? median >= target.atLeast : median <= target.atMost
}

/** Our readings over those of the reference, round by round; empty without a reference. */
export function ratioOf(row: Row): readonly number[] {
  return row.beside === undefined ? [] : ratios(row.ours, row.beside.readings)
}

/** A scenario's findings as text for a terminal. */
export function table(scenario: Scenario, findings: Findings): string {
  const cells = [
    ['', 'llamero', 'beside', '', 'ratio', 'target'],
    ...findings.rows.map((row) => [
      `${row.name} (${row.unit})`,
      show(row.ours),
      row.beside === undefined ? '' : show(row.beside.readings),
      row.beside?.name ?? '',
      row.beside === undefined ? '' : show(ratioOf(row), 2),
      showTarget(row),
    ]),
  ]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)))
  const lines = cells.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  const notes = findings.notes.map((note) => `  · ${note}`)
  return [`${scenario.name}: ${scenario.title}; median (range)`, ...lines, ...notes].join('\n')
}

/** What the table shows, for programs. */
export function asJson(findings: Findings): object {
  return {
    rows: findings.rows.map((row) => ({
      ...row,
      median: spread(row.ours).median,
      ...(row.beside === undefined ? {} : { ratio: { ...spread(ratioOf(row)), rounds: ratioOf(row) } }),
      met: meets(row),
    })),
    ...(findings.curves === undefined ? {} : { curves: findings.curves }),
    notes: findings.notes,
  }
}

function show(readings: Readings, digits?: number): string {
  const { median, least, most } = spread(readings)
  const text = (value: number): string =>
    value === Infinity ? 'never' : value.toFixed(digits ?? (Math.abs(value) >= 100 ? 0 : 1))
  return readings.length < 2 ? text(median) : `${text(median)} (${text(least)}–${text(most)})`
}

function showTarget(row: Row): string {
  const { target } = row
  if (target === undefined) return ''
  const limit = 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`
  return `${limit} ${meets(row) === true ? 'met' : 'MISSED'}`
}
