import { goNumber, type ModelDetails } from '../store/index.js'
import { displayWidth } from './display-width.js'

type Metadata = NonNullable<ModelDetails['header']>['metadata']

/** One value of a model's metadata. */
export type MetadataValue = Metadata extends ReadonlyMap<string, infer Value> ? Value : never

/** Cells that the elements of an array may take, its bracket included; one element is always shown. */
const arrayWidth = 10

/** A value as Ollama's `show --verbose` writes it: `[1 2 ...+30 more]` for an array that is long. */
export function metadataText(entry: MetadataValue): string {
  if (entry.type !== 'array') return scalarText(entry.type, entry.value)
  const { elementType, value } = entry
  const element = (index: number) => scalarText(elementType, value.at(index))
  const shown: string[] = []
  let width = 1
  for (let index = 0; index < value.length; index += 1) {
    const text = element(index)
    width += displayWidth(text) + (index > 0 ? 2 : 0)
    if (width > arrayWidth && index > 0) break
    shown.push(text)
  }
  const rest = value.length - shown.length
  return `[${shown.join(' ')}${rest > 0 ? ` ...+${rest} more` : ''}]`
}

function scalarText(type: string, value: string | number | bigint | boolean | undefined): string {
  if (type === 'bool') return String(Boolean(value))
  if (typeof value !== 'number') return String(value ?? '')
  return goNumber(type === 'float32' ? shortestFloat(value) : value)
}

// The fewest digits that mean the same float: 0.1 instead of 0.10000000149011612.
function shortestFloat(value: number): number {
  for (let digits = 1; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}
