import { curvesHeight, drawCurves } from './curves.js'
import { text } from './svg-text.js'
import { spread } from './measure.js'
import { meets, ratioOf } from './report.js'
import type { Findings, Row, Scenario } from './scenario.js'

interface Bar {
  readonly label: string
  readonly row: Row
}

const barHeight = 18
const pitch = 30
const left = 430
const width = 620
const top = 76

/** Ratios to the peers as bars with their range and target, on a logarithmic scale; an SVG document. */
export function plot(caption: string, found: readonly { scenario: Scenario; findings: Findings }[]): string {
  const bars = found.flatMap(({ scenario, findings }) =>
    findings.rows
      .filter((row) => row.beside !== undefined)
      .map((row): Bar => ({ label: `${scenario.name}: ${row.name} / ${row.beside!.name}`, row })),
  )
  const curves = found.flatMap(({ findings }) => (findings.curves === undefined ? [] : [findings.curves]))
  const barsHeight = top + bars.length * pitch + 30
  const height = barsHeight + curves.length * curvesHeight
  const captions = caption.split('\n').map((line, index) => text(10, 18 + 15 * index, line, 'start'))
  const ticks = [0.25, 0.5, 1, 2, 4].map(
    (value) =>
      `<path d="M${x(value)} ${top - 8}V${barsHeight - 24}" stroke="#ccc"/>${text(x(value), barsHeight - 8, `× ${value}`)}`,
  )
  const lines = [
    ...captions,
    ...ticks,
    ...bars.map((bar, index) => drawBar(bar, top + index * pitch)),
    ...curves.map((one, index) => drawCurves(one, { x: 80, y: barsHeight + index * curvesHeight, width: 800 })),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 20}" height="${height}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
${lines.join('\n')}
</svg>`
}

function drawBar({ label, row }: Bar, y: number): string {
  const { median, least, most } = spread(ratioOf(row))
  const middle = y + barHeight / 2
  const target = row.target?.of === 'ratio' && 'atLeast' in row.target ? row.target.atLeast : undefined
  const colour = meets(row) === false ? '#c0504d' : '#4f81bd'
  return [
    text(left - 10, middle + 4, label, 'end'),
    `<rect x="${x(0.2)}" y="${y}" width="${Math.max(0, x(median) - x(0.2))}" height="${barHeight}" fill="${colour}"/>`,
    `<path d="M${x(least)} ${middle}H${x(most)}" stroke="#222"/>`,
    target === undefined ? '' : `<path d="M${x(target)} ${y - 4}v${barHeight + 8}" stroke="#000" stroke-width="2"/>`,
    text(x(most) + 8, middle + 4, median.toFixed(2), 'start'),
  ].join('')
}

/** 0.2 to 8 over the width. */
function x(ratio: number): number {
  const clamped = Math.min(8, Math.max(0.2, ratio))
  return Math.round(left + (Math.log(clamped / 0.2) / Math.log(8 / 0.2)) * (width - 40))
}
