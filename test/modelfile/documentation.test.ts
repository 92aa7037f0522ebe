import { describe, expect, it } from 'vitest'
import { parameters, parseModelfile, readRecipe, type Parameter } from '../../lib/modelfile/index.js'
import { readSource } from '../contracts/source-file.js'
import { failure } from './failure.js'

const page = readSource('docs/modelfile.md')
const rows = [...page.matchAll(/^\| `(\w+)` \| (.+?) \| (.+?) \| (.*?) ?\|$/gm)].map((match) => match.slice(1))

function valuesOf(row: Parameter): string {
  switch (row.kind) {
    case 'boolean':
      return '`true` or `false`'
    case 'strings':
      return `up to ${row.maxCount} texts of 1 to ${row.maxBytes} bytes`
    default: {
      const noun = row.kind === 'integer' ? 'whole numbers' : 'numbers'
      const most = row.max === 'contextSize' ? 'the context size' : row.max
      return `${noun} from ${row.min} to ${most}${row.lowIsUnset === true ? ', or less' : ''}`
    }
  }
}

function optionOf({ load, generate }: Parameter): string {
  if (load !== undefined) return `\`${load}\` of \`load\``
  return generate === undefined ? '' : `\`${generate}\` of \`generate\``
}

describe('docs/modelfile.md', () => {
  it('lists every parameter with its values and its option, in the order of the table', () => {
    expect(rows.map(([name, values, , option]) => [name, values, option])).toEqual(
      Object.entries<Parameter>(parameters).map(([name, row]) => [name, valuesOf(row), optionOf(row)]),
    )
  })

  it.each(Object.entries<Parameter>(parameters).filter(([, row]) => typeof row.default !== 'object'))(
    'has the default of %s, in words where there is no value',
    (name, row) => {
      const [, , documented] = rows.find(([known]) => known === name) ?? []
      if (row.default === undefined) expect(documented).toMatch(/^[a-z]/)
      else expect(documented).toBe(String(row.default))
    },
  )

  it('names the deprecated parameters that are left out', () => {
    const names = [...(/^Deprecated: (.*?)\. /m.exec(page)?.[1] ?? '').matchAll(/`(\w+)`/g)].map(
      ([, name = '']) => name,
    )
    expect(names.length).toBe(9)
    const text = names.map((name) => `PARAMETER ${name} 1\n`).join('')
    expect(readRecipe(parseModelfile(`FROM m\n${text}`)).deprecated).toEqual(names)
  })

  it('shows a message as it is', () => {
    const { message, line, column } = failure(() => parseModelfile('FROM smollm2:135m\nMESSAGE tool hello'))
    expect(page).toContain(`// ${message} { line: ${String(line)}, column: ${String(column)} }`)
  })
})
