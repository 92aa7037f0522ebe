import type { Curves } from './scenario.js'
import { text } from './svg-text.js'

interface Place {
  readonly x: number
  readonly y: number
  readonly width: number
}

export const curvesHeight = 340
const plotHeight = 240
const colours = ['#4f81bd', '#c0504d', '#9bbb59', '#8064a2', '#f79646']

/** Series of points, as part of an SVG document. */
export function drawCurves({ title, x, y, scale = 'logarithmic', series }: Curves, place: Place): string {
  const points = series.flatMap((one) => one.points)
  const xs = [...new Set(points.map(([value]) => value))].sort((a, b) => a - b)
  const [least, most] = [xs[0] ?? 1, xs.at(-1) ?? 1]
  const highest = Math.max(1, ...points.map(([, value]) => value)) * 1.05
  const top = place.y + 40
  const bottom = top + plotHeight
  const along = scale === 'linear' ? (value: number) => value : Math.log
  const atX = (value: number): number =>
    Math.round(
      place.x + (most === least ? 0.5 : (along(value) - along(least)) / (along(most) - along(least))) * place.width,
    )
  const atY = (value: number): number => Math.round(bottom - (value / highest) * plotHeight)
  const levels = [0, 0.25, 0.5, 0.75, 1].map((share) => share * highest)
  return [
    text(place.x, place.y + 16, `${title}; ${y} over ${x}`, 'start'),
    ...levels.map(
      (level) =>
        `<path d="M${place.x} ${atY(level)}H${place.x + place.width}" stroke="#ddd"/>` +
        text(place.x - 8, atY(level) + 4, level.toFixed(0), 'end'),
    ),
    ...xs.map((value) => text(atX(value), bottom + 18, String(value))),
    ...series.map(({ name, points: own }, index) => {
      const colour = colours[index % colours.length]!
      const path = own.map(([px, py], at) => `${at === 0 ? 'M' : 'L'}${atX(px)} ${atY(py)}`).join('')
      const dots = own.map(([px, py]) => `<circle cx="${atX(px)}" cy="${atY(py)}" r="3" fill="${colour}"/>`).join('')
      const legend = `<rect x="${place.x + 200 * index}" y="${bottom + 32}" width="12" height="12" fill="${colour}"/>`
      const label = text(place.x + 200 * index + 18, bottom + 42, name, 'start')
      return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}${legend}${label}`
    }),
  ].join('\n')
}
