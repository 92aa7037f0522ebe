import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Socket } from 'node:net'
import { connectionFailure, transferFailure } from './transfer-failure.js'

export interface TunnelOptions {
  readonly ca?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
  readonly idleMs: number
}

/** Has a proxy open a connection to the server of an https address (CONNECT). */
export function openTunnel(url: URL, proxy: URL, { ca, signal, idleMs }: TunnelOptions): Promise<Socket> {
  const port = url.port || '443'
  const options = {
    method: 'CONNECT',
    host: proxy.hostname,
    path: `${url.hostname}:${port}`,
    headers: { host: `${url.hostname}:${port}`, ...(proxy.username !== '' && { 'proxy-authorization': basic(proxy) }) },
    agent: false as const,
    ...(signal && { signal }),
  }
  return new Promise((resolve, reject) => {
    const request =
      proxy.protocol === 'https:'
        ? requestHttps({ ...options, port: proxy.port || 443, ...(ca && { ca: [...ca] }) })
        : requestHttp({ ...options, port: proxy.port || 80 })
    request.setTimeout(idleMs, () => request.destroy(transferFailure('broken', 'The proxy did not answer.')))
    request.once('connect', (response, socket) => {
      if (response.statusCode === 200) {
        resolve(socket)
        return
      }
      socket.destroy()
      reject(
        transferFailure(
          'refused',
          `The proxy refused the connection (${response.statusCode}). Check the proxy settings.`,
        ),
      )
    })
    request.on('error', (error) => reject(signal?.aborted ? (signal.reason as Error) : connectionFailure(error)))
    request.end()
  })
}

/** The variables of the environment that say where proxies are, in either case. */
export type ProxyVariables = Readonly<Record<string, string | undefined>>

/** Which proxy an address takes, by the variables that curl, requests and others know. */
export function proxyFromVariables(url: URL, variables: ProxyVariables): URL | undefined {
  const read = (name: string) => variables[name.toLowerCase()] ?? variables[name.toUpperCase()]
  if (isExempt(url, read('no_proxy') ?? '')) return undefined
  return parseProxy(read(`${url.protocol.slice(0, -1)}_proxy`) ?? read('all_proxy'))
}

/** Reads the address of a proxy; kinds that are no HTTP proxies throw `ERR_REGISTRY`, so that pip takes over. */
export function parseProxy(text: string | undefined): URL | undefined {
  if (text === undefined || text === '') return undefined
  const address = text.includes('://') ? text : `http://${text}`
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw transferFailure('refused', 'Only HTTP proxies are supported, but the settings name another kind.')
}

function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.toLowerCase()
  return list
    .toLowerCase()
    .split(',')
    .map((entry) => entry.trim().replace(/^\*?\./, ''))
    .some(
      (entry) =>
        entry === '*' || (entry !== '' && (host === entry || url.host === entry || host.endsWith(`.${entry}`))),
    )
}

/** The value of an authorization header for the user and password in an address. */
export function basic(url: URL): string {
  const text = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return `Basic ${Buffer.from(text).toString('base64')}`
}
