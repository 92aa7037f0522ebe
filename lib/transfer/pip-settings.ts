import { readCertificates } from './certificates.js'
import type { HttpSettings } from './http-client.js'
import { parseProxy, proxyFromVariables, type ProxyVariables } from './http-proxy.js'
import type { PipClient } from './pip-client.js'

/** pip's settings, each with the value that counts. */
export type PipSettings = ReadonlyMap<string, string>

const pipAdvice = {
  credentials: 'Check the credentials of the package index.',
  certificates: 'Tell pip about your certificate authority (pip config set global.cert).',
} as const

// Later ones count more, as in pip.
const sections = ['global', 'install', ':env:'] as const

/** Reads the output of `pip config list`: lines such as `global.cert='/path'`, the values as Python prints them. */
export function parsePipSettings(text: string): PipSettings {
  const bySection = sections.map((section) => [section, new Map<string, string>()] as const)
  for (const line of text.split(/\r?\n/)) {
    const match = /^(global|install|:env:)\.([a-z-]+)=(['"])(.*)\3$/.exec(line)
    const [, section, key, , value] = match ?? []
    if (key === undefined || value === undefined) continue
    bySection.find(([name]) => name === section)?.[1].set(key, unescape(value))
  }
  return new Map(bySection.flatMap(([, values]) => [...values]))
}

/**
 * How to reach the servers of a package index: by the proxy, the certificates and the credentials that pip is set up
 * with. What pip finds in the environment by itself (`HTTPS_PROXY`, `REQUESTS_CA_BUNDLE`) is taken from `variables`.
 */
export async function pipHttpSettings(pip: PipClient, variables: ProxyVariables = {}): Promise<HttpSettings> {
  const { exitCode, stdout } = await pip.run(['config', 'list'])
  const settings = exitCode === 0 ? parsePipSettings(stdout) : new Map<string, string>()
  const bundle = settings.get('cert') ?? variables.REQUESTS_CA_BUNDLE ?? variables.CURL_CA_BUNDLE
  const proxy = settings.get('proxy')
  const indexes = `${settings.get('index-url') ?? ''} ${settings.get('extra-index-url') ?? ''}`.split(/\s+/)
  return {
    ca: bundle === undefined ? undefined : await readCertificates(bundle),
    proxyFor: (url) => (proxy === undefined ? proxyFromVariables(url, variables) : parseProxy(proxy)),
    credentialsFor: (url) => credentialsFor(url, indexes),
    advice: pipAdvice,
  }
}

/** What the settings hold for exactly this scheme, host and port. */
export function credentialsFor(url: URL, indexes: readonly string[]): string | undefined {
  for (const text of indexes) {
    const index = URL.canParse(text) ? new URL(text) : undefined
    if (index === undefined || index.origin !== url.origin || index.username === '') continue
    return `${decodeURIComponent(index.username)}:${decodeURIComponent(index.password)}`
  }
  return undefined
}

function unescape(text: string): string {
  return text.replace(/\\(n|t|.)/g, (_, character: string) =>
    character === 'n' ? '\n' : character === 't' ? '\t' : character,
  )
}
