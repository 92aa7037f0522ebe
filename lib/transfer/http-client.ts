import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Readable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { basic, openTunnel } from './http-proxy.js'
import { hasPrivateHost, isPrivateAddress, privateRedirect, publicLookup } from './private-address.js'
import { connectionFailure, transferFailure } from './transfer-failure.js'

/** How servers are reached. */
export interface HttpSettings {
  /** Certificates of the authorities to trust, in PEM; those of Node if left out. */
  readonly ca?: readonly string[] | undefined
  /** The proxy for an address, if it has one. */
  readonly proxyFor?: ((url: URL) => URL | undefined) | undefined
  /** `user:password` for an address of exactly this origin. */
  readonly credentialsFor?: ((url: URL) => string | undefined) | undefined
  /** Who answers a demand for credentials that depends on the request. */
  readonly authorizer?: Authorizer | undefined
  /** What to tell people who are refused. */
  readonly advice?: { readonly credentials: string; readonly certificates: string } | undefined
}

/** Knows the credentials of one server. */
export interface Authorizer {
  /** The Authorization header of a request; undefined for addresses that must not see one. */
  headerFor(url: URL): string | undefined
  /** Takes the `WWW-Authenticate` of a refused request, '' if it has none. Whether it is worth asking again. */
  answer(url: URL, refused: RefusedRequest): Promise<boolean>
}

/** A request that was answered by 401. */
export interface RefusedRequest {
  readonly challenge: string
  /** The Authorization header that it had. */
  readonly authorization: string | undefined
  /** Whether the same request was refused before, so that what was given then does not suffice. */
  readonly isAgain: boolean
  readonly signal?: AbortSignal | undefined
}

export interface GetOptions {
  readonly settings: HttpSettings
  /** @default 'GET' */
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
  /** How long the line may be silent, in ms. @default 30000 */
  readonly idleMs?: number | undefined
}

/** A request that may carry something. */
export interface SendOptions extends Omit<GetOptions, 'method'> {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH'
  /** Opens what is sent, anew for each try; its length is in `headers`. */
  readonly body?: (() => Readable) | undefined
  /** How the host's name is looked up; Node's own way if left out. */
  readonly lookup?: LookupFunction | undefined
}

// A connection of its own for each request: servers and proxies between them close idle ones at bad moments.
const direct = { agent: false } as const

const mostRedirects = 5
const mostAnswers = 3
const refusedStatus: ReadonlySet<number> = new Set([401, 403, 407])
const redirectStatus: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * Asks for an address and hands back the answer with its body unread, whatever its status but a redirect or a refusal.
 * Redirects never lead from https to http or from a public server to a private one, and never carry credentials along.
 * Errors: `ERR_REGISTRY`.
 */
export async function httpGet(address: URL, options: GetOptions): Promise<IncomingMessage> {
  const { settings, method = 'GET' } = options
  let url = address
  let lookup: LookupFunction | undefined
  for (let hops = 0; hops <= mostRedirects; hops += 1) {
    const response = await httpSend(url, { ...options, method, lookup })
    const status = response.statusCode ?? 0
    const { location } = response.headers
    if (redirectStatus.has(status) && location !== undefined) {
      if (hops === 0) lookup = lookupBehind(url, response, settings)
      response.destroy()
      url = redirected(url, location, lookup)
      continue
    }
    if (refusedStatus.has(status)) {
      response.destroy()
      throw refusal(status, settings)
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

/**
 * Sends one request and hands back the answer, whatever it is, with its body unread. A demand for credentials is
 * answered, where the settings have an {@link Authorizer}. Errors: `ERR_REGISTRY`.
 */
export async function httpSend(url: URL, options: SendOptions): Promise<IncomingMessage> {
  const { authorizer } = options.settings
  for (let answers = 0; ; answers += 1) {
    const authorization = authorizer?.headerFor(url)
    const response = await send(url, options, authorization)
    if (response.statusCode !== 401 || answers === mostAnswers) return response
    const challenge = response.headers['www-authenticate'] ?? ''
    const refused = { challenge, authorization, isAgain: answers > 0, signal: options.signal }
    let isAnswered = false
    try {
      isAnswered = (await authorizer?.answer(url, refused)) === true
    } catch (error) {
      response.destroy()
      throw error
    }
    if (!isAnswered) return response
    response.destroy()
  }
}

/**
 * How names are looked up where a server leads us: those that a public one sends us to must be public.
 *
 * @param response of the server that the user named
 */
export function lookupBehind(
  url: URL,
  response: IncomingMessage,
  { proxyFor }: HttpSettings,
): LookupFunction | undefined {
  // Behind a proxy one cannot see whom one talks to; there only what the address says counts.
  const isDirect = proxyFor?.(url) === undefined
  const isPrivate = hasPrivateHost(url) || (isDirect && isPrivateAddress(response.socket.remoteAddress ?? ''))
  return isPrivate ? undefined : publicLookup()
}

/**
 * Where a redirect leads. Errors: `ERR_REGISTRY` for places that must not be followed.
 *
 * @param lookup of {@link lookupBehind}
 */
export function redirected(from: URL, location: string, lookup: LookupFunction | undefined): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const isPlainer = from.protocol === 'https:' && to?.protocol === 'http:'
  if (to === undefined || isPlainer || !['https:', 'http:'].includes(to.protocol)) {
    throw transferFailure('protocol', 'The server redirected to an address that must not be followed.')
  }
  if (lookup !== undefined && hasPrivateHost(to)) throw privateRedirect()
  return to
}

/** The error for a server that does not let us in. */
export function refusal(status: number, { advice }: HttpSettings): Error {
  const what = advice?.credentials ?? 'Check the credentials.'
  return transferFailure('refused', `The server refused access (${status}). ${what}`, undefined, status)
}

async function send(url: URL, options: SendOptions, authorization: string | undefined): Promise<IncomingMessage> {
  const { settings, headers: given, signal, method, lookup } = options
  signal?.throwIfAborted()
  const credentials = settings.credentialsFor?.(url)
  const headers = {
    'accept-encoding': 'identity',
    'user-agent': 'llamero',
    ...given,
    ...(authorization !== undefined && { authorization }),
  }
  const common = {
    method,
    headers,
    ...(lookup && { lookup }),
    ...(signal && { signal }),
    ...(credentials !== undefined && url.username === '' && { auth: credentials }),
  } satisfies RequestOptions
  const proxy = settings.proxyFor?.(url)
  const ca = settings.ca && { ca: Array.from(settings.ca) }
  if (url.protocol === 'https:') {
    if (proxy === undefined) return answered(requestHttps(url, { ...common, ...direct, ...ca }), options)
    const { idleMs = 30_000 } = options
    const socket = await openTunnel(url, proxy, { ca: settings.ca, signal, idleMs })
    const createConnection = () => connectTls({ socket, servername: url.hostname, ...ca })
    // An agent, even none, would not use the connection.
    return answered(requestHttps(url, { ...common, createConnection }), options)
  }
  if (proxy === undefined) return answered(requestHttp(url, { ...common, ...direct }), options)
  const { lookup: _lookup, ...through } = common
  const plain = {
    ...through,
    headers: {
      ...headers,
      ...(proxy.username !== '' && { 'proxy-authorization': basic(proxy) }),
      host: url.host,
    },
    path: `${url.origin}${url.pathname}${url.search}`,
  }
  return answered(requestHttp({ ...plain, ...direct, host: proxy.hostname, port: proxy.port || 80 }), options)
}

function answered(
  request: ReturnType<typeof requestHttp>,
  { settings, signal, body, idleMs = 30_000 }: SendOptions,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const source = body?.()
    request.setTimeout(idleMs, () =>
      request.destroy(transferFailure('broken', `The server sent nothing for ${idleMs / 1000} seconds.`)),
    )
    request.once('response', resolve)
    request.once('close', () => source?.destroy())
    request.on('error', (error) => {
      reject(signal?.aborted ? (signal.reason as Error) : connectionFailure(error, settings.advice?.certificates))
    })
    if (source === undefined) request.end()
    else source.on('error', (error) => request.destroy(error)).pipe(request)
  })
}
