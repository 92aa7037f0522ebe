import type { Instruction, ParsedInstruction } from '../../lib/modelfile/index.js'

/** Without the places, which a printed file has elsewhere. */
export function plain(instructions: readonly ParsedInstruction[]): Instruction[] {
  return instructions.map(({ line: _line, column: _column, ...instruction }) => instruction)
}

const wordPattern = /^(from|license|template|system|adapter|draft|renderer|parser|requires)[ \t]/i
const parameterPattern = /^parameter[ \t](\w+)[ \t]/i
// Of the words of a MESSAGE only the first may be in any case.
const messagePattern = /^[Mm][Ee][Ss][Ss][Aa][Gg][Ee][ \t](system|user|assistant)[ \t]/

/**
 * The rules of the specification (§4.1) as they are told, slowly: a value ends at the first end of a line, or of the
 * file, where all that was read so far is plain or a closed quote. Undefined where a file is refused.
 */
export function referenceParse(text: string): Instruction[] | undefined {
  const found: Instruction[] = []
  let rest = text
  for (;;) {
    rest = rest.replace(/^[ \t\r\n]+/, '')
    if (rest.startsWith('#')) rest = rest.replace(/^[^\r\n]*/, '')
    else if (rest === '') break
    else {
      const message = messagePattern.exec(rest)
      const match = wordPattern.exec(rest) ?? parameterPattern.exec(rest) ?? message
      if (match === null) return undefined
      const [start, name = ''] = match
      const value = referenceValue(rest.slice(start.length))
      if (value === undefined) return undefined
      rest = rest.slice(start.length + value.length)
      const content = unquote(value) ?? ''
      if (message !== null) found.push({ type: 'message', role: name as 'user', content })
      else if (/^parameter/i.test(start)) found.push({ type: 'parameter', name, value: content })
      else found.push({ type: name.toLowerCase() as 'from', value: content })
    }
  }
  return found.some(({ type }) => type === 'from') ? found : undefined
}

function referenceValue(text: string): string | undefined {
  for (let end = 0; end <= text.length; end++) {
    if (end < text.length && !'\r\n'.includes(text.charAt(end))) continue
    if (unquote(text.slice(0, end)) !== undefined) return text.slice(0, end)
  }
  return undefined
}

function unquote(text: string): string | undefined {
  const trimmed = text.replace(/^[ \t\r\n]+/, '').replace(/[ \t\r\n]+$/, '')
  for (const quote of ['"""', '"']) {
    if (!trimmed.startsWith(quote)) continue
    const isClosed = trimmed.length >= 2 * quote.length && trimmed.endsWith(quote)
    return isClosed ? trimmed.slice(quote.length, -quote.length) : undefined
  }
  return trimmed
}
