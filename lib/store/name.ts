import { LlameroError } from '../errors.js'

/** The four parts that name a model, all filled in; the scheme only matters for reaching its registry. */
export interface ModelName {
  readonly scheme: 'https' | 'http'
  /** 1 to 350 bytes, may carry a port. @default 'registry.ollama.ai' */
  readonly host: string
  /** 1 to 80 bytes. @default 'library' */
  readonly namespace: string
  /** 1 to 80 bytes. */
  readonly model: string
  /** 1 to 80 bytes. @default 'latest' */
  readonly tag: string
}

/** What a name leaves out; the values are Ollama's (types/model/name.go). */
export const defaultName = {
  scheme: 'https',
  host: 'registry.ollama.ai',
  namespace: 'library',
  tag: 'latest',
} as const satisfies Partial<ModelName>

/** One of the four parts of a {@link ModelName} that make its path. */
export type NamePart = 'host' | 'namespace' | 'model' | 'tag'
export const nameParts = ['host', 'namespace', 'model', 'tag'] as const satisfies readonly NamePart[]

const grammar = {
  host: { pattern: /^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/, maxBytes: 350, allowed: 'letters, digits, "_", "-", "." and ":"' },
  namespace: { pattern: /^[A-Za-z0-9_][A-Za-z0-9_-]*$/, maxBytes: 80, allowed: 'letters, digits, "_" and "-"' },
  model: { pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, maxBytes: 80, allowed: 'letters, digits, "_", "-" and "."' },
  tag: { pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, maxBytes: 80, allowed: 'letters, digits, "_", "-" and "."' },
} as const satisfies Record<NamePart, { pattern: RegExp; maxBytes: number; allowed: string }>

/** Whether a text may stand as that part of a name. */
export function isNamePart(part: NamePart, text: string): boolean {
  const rule = grammar[part]
  return text.length <= rule.maxBytes && rule.pattern.test(text)
}

/**
 * Reads `[scheme://][host/][namespace/]model[:tag]` and fills in what is left out. The suffix `:local`, which Ollama
 * knows as "not from its cloud", is cut off.
 *
 * @param text such as `smollm2:135m`; errors: `ERR_NAME_INVALID`, for names of cloud models `ERR_UNSUPPORTED`
 */
export function parseName(text: string): ModelName {
  const bare = withoutSourceSuffix(text)
  const schemeEnd = bare.indexOf('://')
  const scheme = schemeEnd < 0 ? defaultName.scheme : bare.slice(0, schemeEnd).toLowerCase()
  if (scheme !== 'https' && scheme !== 'http')
    throw invalidName(text, `the scheme ${JSON.stringify(scheme)} is neither https nor http`)
  let rest = schemeEnd < 0 ? bare : bare.slice(schemeEnd + 3)

  let tag: string = defaultName.tag
  const colon = rest.lastIndexOf(':')
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1)
    rest = rest.slice(0, colon)
  }
  const [model, beforeModel] = cutLast(rest)
  const [namespace, host] = beforeModel === undefined ? [defaultName.namespace, undefined] : cutLast(beforeModel)
  return checkName({ scheme, host: host ?? defaultName.host, namespace, model, tag }, text)
}

/** Throws `ERR_NAME_INVALID` unless each part follows the grammar. */
export function checkName(
  name: ModelName,
  text: string = `${name.host}/${name.namespace}/${name.model}:${name.tag}`,
): ModelName {
  for (const part of nameParts) {
    if (isNamePart(part, name[part])) continue
    const { maxBytes, allowed } = grammar[part]
    const found = name[part] === '' ? 'is empty' : `${shown(name[part])} does not follow the rule`
    throw invalidName(
      text,
      `its ${part} ${found} (1 to ${maxBytes} of ${allowed}, beginning with a letter, a digit or "_")`,
    )
  }
  return name
}

/** The shortest text that means this name: the default host and namespace are left out, the tag is always there. */
export function displayName(name: ModelName): string {
  const isDefaultHost = sameText(name.host, defaultName.host)
  const host = isDefaultHost ? '' : `${name.host}/`
  const namespace = isDefaultHost && sameText(name.namespace, defaultName.namespace) ? '' : `${name.namespace}/`
  return `${host}${namespace}${name.model}:${name.tag}`
}

/** Whether two names mean one model: equal in all four parts, where the case of letters does not count. */
export function sameName(a: ModelName, b: ModelName): boolean {
  return nameParts.every((part) => sameText(a[part], b[part]))
}

/** Equality of name parts; they are ASCII, so that lower-casing is exact. */
export function sameText(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

function withoutSourceSuffix(text: string): string {
  const isLocal = /:local$/i.test(text)
  const bare = isLocal ? text.slice(0, -6) : text
  if (/(:|-)cloud$/i.test(bare) && bare.includes(':')) {
    if (isLocal) throw invalidName(text, 'it ends in both :cloud and :local; keep one of them')
    throw new LlameroError(
      'ERR_UNSUPPORTED',
      `${shown(text)} names a model that runs in Ollama's cloud; llamero runs models on this machine only.`,
    )
  }
  return bare
}

function cutLast(text: string): readonly [last: string, before: string | undefined] {
  const slash = text.lastIndexOf('/')
  return slash < 0 ? [text, undefined] : [text.slice(slash + 1), text.slice(0, slash)]
}

function invalidName(text: string, reason: string): LlameroError {
  return new LlameroError(
    'ERR_NAME_INVALID',
    `Expected a model name such as "smollm2:135m" or "host/namespace/model:tag", but in ${shown(text)} ${reason}.`,
  )
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}
