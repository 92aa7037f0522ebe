/** Where a value lies in a JSON text that may still grow. */
export interface JsonSpan {
  readonly start: number
  readonly end: number
  /** Nothing can follow that belongs to it. */
  readonly isWhole: boolean
  /** Values of an object, by name; of a name that comes twice, the last. */
  readonly fields: ReadonlyMap<string, JsonSpan>
  /** Values of an array. */
  readonly items: readonly JsonSpan[]
}

const maxDepth = 64
const none: Pick<JsonSpan, 'fields' | 'items'> = { fields: new Map(), items: [] }

/**
 * Finds the values in a text that begins as JSON, as far as it goes; nothing where no value has begun. What is no JSON
 * ends the reading, and then nothing that holds it is whole.
 */
export function readSpans(text: string): JsonSpan | undefined {
  let at = 0

  function skipSpace(): void {
    while (at < text.length && ' \n\r\t'.includes(text.charAt(at))) at++
  }

  function take(sign: string): boolean {
    skipSpace()
    if (text.charAt(at) !== sign) return false
    at++
    return true
  }

  /** Whether the string that begins here has an end. */
  function skipString(): boolean {
    for (at++; at < text.length; at++) {
      const sign = text.charAt(at)
      if (sign === '\\') at++
      else if (sign === '"') {
        at++
        return true
      }
    }
    at = text.length
    return false
  }

  function readString(start: number): JsonSpan {
    const isWhole = skipString()
    return { start, end: at, isWhole, ...none }
  }

  function readWord(start: number): JsonSpan | undefined {
    while (at < text.length && /[\w.+-]/.test(text.charAt(at))) at++
    return at === start ? undefined : { start, end: at, isWhole: at < text.length, ...none }
  }

  function readObject(start: number, depth: number): JsonSpan {
    const fields = new Map<string, JsonSpan>()
    const span = (isWhole: boolean): JsonSpan => ({ start, end: at, isWhole, fields, items: [] })
    at++
    if (take('}')) return span(true)
    for (;;) {
      skipSpace()
      const nameAt = at
      if (text.charAt(at) !== '"' || !skipString()) return span(false)
      const name = decodeString(text.slice(nameAt, at))
      if (!take(':')) return span(false)
      const value = readValue(depth + 1)
      if (value === undefined) return span(false)
      fields.set(name, value)
      if (take('}')) return span(value.isWhole)
      if (!take(',')) return span(false)
    }
  }

  function readArray(start: number, depth: number): JsonSpan {
    const items: JsonSpan[] = []
    const span = (isWhole: boolean): JsonSpan => ({ start, end: at, isWhole, fields: none.fields, items })
    at++
    if (take(']')) return span(true)
    for (;;) {
      const value = readValue(depth + 1)
      if (value === undefined) return span(false)
      items.push(value)
      if (take(']')) return span(value.isWhole)
      if (!take(',')) return span(false)
    }
  }

  function readValue(depth: number): JsonSpan | undefined {
    skipSpace()
    if (at >= text.length || depth > maxDepth) return undefined
    const start = at
    const sign = text.charAt(at)
    if (sign === '"') return readString(start)
    if (sign === '{') return readObject(start, depth)
    return sign === '[' ? readArray(start, depth) : readWord(start)
  }

  return readValue(0)
}

/** What the text of a JSON string says, also of one that has only begun: an escape that is cut waits for its end. */
export function decodeString(json: string): string {
  const body = json.slice(1)
  const whole = json.length > 1 && endsString(body)
  const cut = whole ? body.slice(0, -1) : body.replace(/(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$/, '$1')
  try {
    const text = JSON.parse(`"${cut}"`) as string
    // Half of a surrogate pair waits for the other half.
    return whole ? text : text.replace(/[\uD800-\uDBFF]$/, '')
  } catch {
    return ''
  }
}

function endsString(body: string): boolean {
  if (!body.endsWith('"')) return false
  let at = body.length - 2
  while (body.charAt(at) === '\\') at--
  return (body.length - 2 - at) % 2 === 0
}
