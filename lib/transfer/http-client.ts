import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect as connectTls } from 'node:tls'
import { basic, openTunnel } from './http-proxy.js'
import { connectionFailure, transferFailure } from './transfer-failure.js'

/** How servers are reached. */
export interface HttpSettings {
  /** Certificates of the authorities to trust, in PEM; those of Node if left out. */
  readonly ca?: readonly string[] | undefined
  /** The proxy for an address, if it has one. */
  readonly proxyFor?: ((url: URL) => URL | undefined) | undefined
  /** `user:password` for an address of exactly this origin. */
  readonly credentialsFor?: ((url: URL) => string | undefined) | undefined
}

export interface GetOptions {
  readonly settings: HttpSettings
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
  /** How long the line may be silent, in ms. @default 30000 */
  readonly idleMs?: number | undefined
}

// A connection of its own for each request: servers and proxies between them close idle ones at bad moments.
const direct = { agent: false } as const

const mostRedirects = 5
const refusedStatus: ReadonlySet<number> = new Set([401, 403, 407])

/**
 * Asks for an address and hands back the answer with its body unread, whatever its status but a redirect or a refusal.
 * Redirects never lead from https to http, and never carry credentials along. Errors: `ERR_REGISTRY`.
 */
export async function httpGet(address: URL, options: GetOptions): Promise<IncomingMessage> {
  let url = address
  for (let hops = 0; hops <= mostRedirects; hops += 1) {
    const response = await send(url, options)
    const status = response.statusCode ?? 0
    const { location } = response.headers
    if ([301, 302, 303, 307, 308].includes(status) && location !== undefined) {
      response.destroy()
      url = redirected(url, location)
      continue
    }
    if (refusedStatus.has(status)) {
      response.destroy()
      throw transferFailure(
        'refused',
        `The server refused access (${status}). Check the credentials of the package index.`,
        undefined,
        status,
      )
    }
    const encoding = response.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      response.destroy()
      throw transferFailure('protocol', 'The server sent an encoded body where plain bytes were asked for.')
    }
    return response
  }
  throw transferFailure('protocol', `The server redirected more than ${mostRedirects} times.`)
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const isPlainer = from.protocol === 'https:' && to?.protocol === 'http:'
  if (to === undefined || isPlainer || !['https:', 'http:'].includes(to.protocol)) {
    throw transferFailure('protocol', 'The server redirected to an address that must not be followed.')
  }
  return to
}

async function send(
  url: URL,
  { settings, headers: given, signal, idleMs = 30_000 }: GetOptions,
): Promise<IncomingMessage> {
  signal?.throwIfAborted()
  const credentials = settings.credentialsFor?.(url)
  const headers = { 'accept-encoding': 'identity', 'user-agent': 'llamero', ...given }
  const common = {
    headers,
    ...(signal && { signal }),
    ...(credentials !== undefined && url.username === '' && { auth: credentials }),
  } satisfies RequestOptions
  const proxy = settings.proxyFor?.(url)
  const ca = settings.ca && { ca: Array.from(settings.ca) }
  if (url.protocol === 'https:') {
    if (proxy === undefined) return answered(requestHttps(url, { ...common, ...direct, ...ca }), idleMs, signal)
    const socket = await openTunnel(url, proxy, { ca: settings.ca, signal, idleMs })
    const createConnection = () => connectTls({ socket, servername: url.hostname, ...ca })
    // An agent, even none, would not use the connection.
    return answered(requestHttps(url, { ...common, createConnection }), idleMs, signal)
  }
  if (proxy === undefined) return answered(requestHttp(url, { ...common, ...direct }), idleMs, signal)
  const authorization = proxy.username === '' ? {} : { 'proxy-authorization': basic(proxy) }
  const plain = {
    ...common,
    headers: { ...headers, ...authorization, host: url.host },
    path: `${url.origin}${url.pathname}${url.search}`,
  }
  return answered(requestHttp({ ...plain, ...direct, host: proxy.hostname, port: proxy.port || 80 }), idleMs, signal)
}

function answered(
  request: ReturnType<typeof requestHttp>,
  idleMs: number,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.setTimeout(idleMs, () =>
      request.destroy(transferFailure('broken', `The server sent nothing for ${idleMs / 1000} seconds.`)),
    )
    request.once('response', resolve)
    request.on('error', (error) => {
      reject(signal?.aborted ? (signal.reason as Error) : connectionFailure(error))
    })
    request.end()
  })
}
