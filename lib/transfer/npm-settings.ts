import { readCertificates } from './certificates.js'
import type { HttpSettings } from './http-client.js'
import { proxyFromVariables, type ProxyVariables } from './http-proxy.js'
import type { NpmClient } from './npm-client.js'

/** How npm is set up, as far as it concerns who else fetches what it names. */
export interface NpmSettings {
  readonly http: HttpSettings
  /** The address that npm itself would fetch a tarball from. */
  addressOf(tarball: URL): URL
}

const advice = {
  credentials: 'Check the credentials of the package registry (npm login).',
  certificates: 'Tell npm about your certificate authority (npm config set cafile).',
} as const

/**
 * How to reach the servers of a package registry: by the proxy and the certificates that npm is set up with. Its
 * credentials it does not tell; where they are needed, npm fetches by itself.
 */
export async function npmSettings(npm: NpmClient, variables: ProxyVariables = {}): Promise<NpmSettings> {
  const { exitCode, stdout } = await npm.run(['config', 'list', '--json'])
  const settings = exitCode === 0 ? parseSettings(stdout) : {}
  const text = (key: string) => (typeof settings[key] === 'string' && settings[key] !== '' ? settings[key] : undefined)
  const cafile = text('cafile')
  const proxies: ProxyVariables = {
    ...variables,
    ...defined('https_proxy', text('https-proxy') ?? text('proxy')),
    ...defined('http_proxy', text('proxy')),
    ...defined('no_proxy', texts(settings.noproxy).join(',') || undefined),
  }
  const ca = texts(settings.ca)
  return {
    http: {
      ca: ca.length > 0 ? ca : cafile === undefined ? undefined : await readCertificates(cafile),
      proxyFor: (url) => proxyFromVariables(url, proxies),
      advice,
    },
    addressOf: (tarball) => fromRegistry(tarball, text('registry'), text('replace-registry-host') ?? 'npmjs'),
  }
}

/**
 * npm puts its own registry in the place of the host that tarballs are said to lie on: by default in that of the public
 * one, which mirrors leave in their answers.
 *
 * @param replaced npm's setting `replace-registry-host`: `never`, `always`, `npmjs` or a host
 */
export function fromRegistry(tarball: URL, registry: string | undefined, replaced: string): URL {
  const { hostname } = tarball
  const isReplaced = replaced === 'always' || hostname === replaced || hostname.split('.').includes(replaced)
  if (!isReplaced || registry === undefined || !URL.canParse(registry)) return tarball
  const base = new URL(registry)
  // A package of that very registry may carry its path already.
  const path = tarball.pathname.startsWith(base.pathname)
    ? tarball.pathname
    : `${base.pathname.replace(/\/*$/, '')}${tarball.pathname}`
  return new URL(`${path}${tarball.search}`, base)
}

/** The texts of a setting that is one or several. */
function texts(setting: unknown): readonly string[] {
  return [setting].flat().filter((one): one is string => typeof one === 'string' && one !== '')
}

function parseSettings(json: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(json) as Readonly<Record<string, unknown>>
  } catch {
    return {}
  }
}

function defined(key: string, value: string | undefined): ProxyVariables {
  return value === undefined ? {} : { [key]: value }
}
