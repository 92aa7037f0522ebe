/** A setting that a model brings along: a number, a switch, a text, or the texts that end an answer (`stop`). */
export type ModelParameter = number | boolean | string | readonly string[]

/** Settings by Ollama's names, such as `temperature`, in the order of the layer. */
export type ModelParameters = Readonly<Record<string, ModelParameter>>

/** Reads the document of a layer of parameters; a text says what is wrong with it. */
export function parseParameters(document: unknown): ModelParameters | string {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return 'are no JSON object'
  const parameters: [string, ModelParameter][] = []
  for (const [name, value] of Object.entries(document)) {
    if (value === null) continue
    if (!isParameter(value)) return `have a value for ${JSON.stringify(name.slice(0, 100))} that no parameter can have`
    parameters.push([name, value])
  }
  return Object.fromEntries(parameters)
}

function isParameter(value: unknown): value is ModelParameter {
  if (Array.isArray(value)) return value.every((part) => typeof part === 'string')
  return ['number', 'boolean', 'string'].includes(typeof value)
}

const nameWidth = 30

/** Parameters as Ollama writes them out: one line per value, the name padded, texts quoted as in Go. */
export function formatParameters(parameters: ModelParameters): string {
  return Object.entries(parameters)
    .flatMap(([name, value]) => (typeof value === 'object' ? value : [value]).map((one) => line(name, one)))
    .join('\n')
}

function line(name: string, value: number | boolean | string): string {
  const shown = typeof value === 'string' ? goQuoted(value) : typeof value === 'number' ? goNumber(value) : value
  return `${name.padEnd(nameWidth)} ${shown}`
}

const escapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
}

// What Go's strconv.Quote takes for unprintable: controls, formats, and all spaces but the usual one.
const unprintable = /["\\]|[\p{C}\p{Z}]/gu

function goQuoted(text: string): string {
  const quoted = text.replace(unprintable, (character) => {
    if (character === ' ') return character
    const known = escapes[character]
    if (known !== undefined) return known
    const code = character.codePointAt(0) ?? 0
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`
  })
  return `"${quoted}"`
}

/**
 * A number as Go prints it, with an exponent of two digits at the least below 0.0001; but whole numbers are written out,
 * where Ollama makes 1.048576e+06 of a million tokens.
 */
export function goNumber(value: number): string {
  const size = Math.abs(value)
  if (size === 0 || (size >= 1e-4 && size < 1e21)) return String(value)
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}
