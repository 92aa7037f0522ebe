import { formatPlain, type Sink } from './format-value.js'
import type { Fuel } from './fuel.js'
import { templateLimits } from './limits.js'
import { RunBuilder, type TextRun } from './runs.js'
import { stringOfRuns, type GoValue } from './value.js'

/** Steps that each run of a made text costs: they take more memory than the text. */
const stepsPerRun = 8

/** What an action prints: as `print`, but `<no value>` for none. */
export function printedRuns(value: GoValue, fuel: Fuel): readonly TextRun[] {
  // By far the most common, and what the prompt's own limit is for.
  if (value.kind === 'string') return value.runs
  if (value.kind === 'missing' || value.kind === 'nil') return [{ text: '<no value>', trusted: true }]
  return textOf(fuel, (builder) => formatPlain(value, sinkOf(builder, fuel)))
}

/** `print`: a space between neighbours of which neither is a text. */
export function printed(values: readonly GoValue[], fuel: Fuel): GoValue {
  return stringOfRuns(
    textOf(fuel, (builder) => {
      for (const [index, value] of values.entries()) {
        if (index > 0 && value.kind !== 'string' && values[index - 1]?.kind !== 'string') builder.append(' ', true)
        formatPlain(value, sinkOf(builder, fuel))
      }
    }),
  )
}

/** `println`: a space between all and a line break at the end. */
export function printedLine(values: readonly GoValue[], fuel: Fuel): GoValue {
  return stringOfRuns(
    textOf(fuel, (builder) => {
      for (const [index, value] of values.entries()) {
        if (index > 0) builder.append(' ', true)
        formatPlain(value, sinkOf(builder, fuel))
      }
      builder.append('\n', true)
    }),
  )
}

/** The text that the escaping functions work on: as `print`, but `<no value>` for none. */
export function printedText(values: readonly GoValue[], fuel: Fuel): string {
  const [only] = values
  if (values.length === 1 && only?.kind === 'string') return only.text
  const shown = values.map((value): GoValue => {
    if (value.kind !== 'missing' && value.kind !== 'nil') return value
    return stringOfRuns([{ text: '<no value>', trusted: true }])
  })
  const result = printed(shown, fuel)
  return result.kind === 'string' ? result.text : ''
}

/** The runs that some work appends, within the limit of a text. */
export function textOf(fuel: Fuel, work: (builder: RunBuilder) => void): readonly TextRun[] {
  const builder = new RunBuilder(
    templateLimits.stringLength,
    `a text of more than ${templateLimits.stringLength} characters`,
  )
  work(builder)
  const runs = builder.take()
  fuel.spend(stepsPerRun * runs.length)
  return runs
}

/** A sink that fills a builder. */
export function sinkOf(builder: RunBuilder, fuel: Fuel): Sink {
  return {
    fuel,
    write(text, trusted) {
      fuel.spend(1)
      fuel.spendOnLength(text.length)
      builder.append(text, trusted)
    },
  }
}
