/** One demand of a `WWW-Authenticate` header (RFC 9110 §11.6.1). */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string
  /** By name in lower case: `realm`, `service`, `scope`. */
  readonly parameters: ReadonlyMap<string, string>
}

const longestHeader = 8 * 1024

/** Reads all demands of a header; what follows a fault in it is not looked at. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  let rest = header.slice(0, longestHeader)
  while (rest !== '') {
    const parameter = /^[\s,]*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/.exec(rest)
    const scheme = /^[\s,]*([A-Za-z][\w-]*)(?=\s|,|$)/.exec(rest)
    if (parameter !== null && challenges.length > 0) {
      const [whole, name = '', quoted, plain = ''] = parameter
      const parameters = challenges.at(-1)?.parameters
      const key = name.toLowerCase()
      if (parameters?.has(key) === false) parameters.set(key, quoted?.replace(/\\(.)/g, '$1') ?? plain)
      rest = rest.slice(whole.length)
    } else if (scheme !== null) {
      challenges.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters: new Map() })
      rest = rest.slice(scheme[0].length)
    } else return challenges
  }
  return challenges
}
