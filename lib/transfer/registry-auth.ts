import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { LlameroError } from '../errors.js'
import { parseChallenges } from './challenge.js'
import type { Credentials, PasswordCredentials, RefreshToken } from './docker-credentials.js'
import { httpGet, httpSend, type Authorizer, type HttpSettings, type RefusedRequest } from './http-client.js'
import type { IdentityKey } from './identity-key.js'
import { failureOf, readBody } from './response-body.js'
import { transferFailure } from './transfer-failure.js'

/** What there is to prove who asks; each is looked for only when a registry demands it. */
export interface RegistryIdentity {
  /** What `docker login` has stored for the registry. */
  readonly credentials: () => Promise<Credentials | undefined>
  /** The key that Ollama's registry knows; made, if that is allowed and there is none. */
  readonly key: (options: { readonly mayCreate: boolean }) => Promise<IdentityKey | undefined>
}

export interface RegistryAuthOptions {
  /** The only origin that ever sees credentials, but for the token server that belongs to it. */
  readonly registry: URL
  readonly settings: HttpSettings
  readonly identity: RegistryIdentity
}

/** A token that is asked for, and what there is to show for it. */
interface TokenWish {
  readonly realm: URL
  readonly parameters: ReadonlyMap<string, string>
  readonly address: URL
  readonly key: IdentityKey | undefined
  readonly credentials: Credentials | undefined
  readonly signal: AbortSignal | undefined
}

/** Ways to ask for a token, in the order in which they are tried. */
type TokenWay = 'credentials' | 'anonymous' | 'signed'

// Registries whose tokens are given out elsewhere, by their own word; any other realm must be the registry itself.
const tokenServers: ReadonlyMap<string, string> = new Map([
  ['registry-1.docker.io', 'auth.docker.io'],
  ['registry.gitlab.com', 'gitlab.com'],
])
const ollamaHost = /(^|\.)ollama\.(ai|com)$/i
const mostTokenBytes = 64 * 1024

/** Answers a registry's demands: basic, bearer tokens as Docker has them, and Ollama's signed token requests. */
export class RegistryAuth implements Authorizer {
  readonly #options: RegistryAuthOptions
  #header: string | undefined
  #ways: TokenWay[] | undefined
  #isBasicTried = false
  #running: Promise<boolean> | undefined

  constructor(options: RegistryAuthOptions) {
    this.#options = options
  }

  headerFor(url: URL): string | undefined {
    return url.origin === this.#options.registry.origin ? this.#header : undefined
  }

  /** Requests that run side by side and are refused together get one new token. */
  async answer(url: URL, refused: RefusedRequest): Promise<boolean> {
    if (url.origin !== this.#options.registry.origin) return false
    // Somebody else has got a new one in the meantime.
    if (refused.authorization !== this.#header) return true
    this.#running ??= this.#answer(refused).finally(() => (this.#running = undefined))
    return this.#running
  }

  async #answer(refused: RefusedRequest): Promise<boolean> {
    const challenges = parseChallenges(refused.challenge)
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    if (bearer !== undefined) return this.#takeToken(bearer.parameters, refused)
    if (!challenges.some(({ scheme }) => scheme === 'basic') || this.#isBasicTried) return false
    this.#isBasicTried = true
    const credentials = await this.#options.identity.credentials()
    if (credentials === undefined || 'refreshToken' in credentials) return false
    this.#header = basicHeader(credentials)
    return true
  }

  async #takeToken(parameters: ReadonlyMap<string, string>, { isAgain, signal }: RefusedRequest): Promise<boolean> {
    const realm = this.#realm(parameters.get('realm') ?? '')
    const credentials = await this.#options.identity.credentials()
    const isOllama = ollamaHost.test(realm.hostname)
    this.#ways ??= credentials !== undefined ? ['credentials'] : isOllama ? ['signed'] : ['anonymous', 'signed']
    // A way that has given a good token once is good for the next one, when that has expired or the scope grows.
    if (isAgain) this.#ways.shift()
    for (; this.#ways.length > 0; this.#ways.shift()) {
      const [way = 'anonymous'] = this.#ways
      const address = tokenAddress(realm, parameters, way)
      const key = way === 'signed' ? await this.#options.identity.key({ mayCreate: isOllama }) : undefined
      if (way === 'signed' && key === undefined) continue
      const token = await this.#tokenFor({ realm, parameters, address, key, credentials, signal })
      if (token === undefined) continue
      this.#header = `Bearer ${token}`
      return true
    }
    return false
  }

  #tokenFor({ realm, parameters, address, key, credentials, signal }: TokenWish): Promise<string | undefined> {
    if (key !== undefined) return this.#requestToken(address, signature(key, address), signal)
    if (credentials === undefined) return this.#requestToken(address, undefined, signal)
    if ('refreshToken' in credentials) return this.#exchange(realm, parameters, credentials, signal)
    return this.#requestToken(address, basicHeader(credentials), signal)
  }

  // Same scheme, host and port; compared as the parsed address, which is also the one that is connected to.
  #realm(text: string): URL {
    const { registry } = this.#options
    const realm = URL.canParse(text) ? new URL(text) : undefined
    const isOwn = realm?.origin === registry.origin
    const isKnown =
      realm?.protocol === 'https:' && registry.protocol === 'https:' && tokenServers.get(registry.host) === realm.host
    if (realm !== undefined && realm.username === '' && realm.password === '' && (isOwn || isKnown)) return realm
    throw transferFailure(
      'refused',
      `realm host ${JSON.stringify((realm?.host ?? text).slice(0, 100))} does not match original host ${JSON.stringify(registry.host)}: ` +
        'the registry asked to prove who we are to somebody else, and nothing was sent there.',
    )
  }

  /** Undefined if this way does not get one. */
  async #requestToken(
    address: URL,
    authorization: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const { ca, proxyFor, advice } = this.#options.settings
    const authorizer: Authorizer = {
      headerFor: (url) => (url.href === address.href ? authorization : undefined),
      answer: () => Promise.resolve(false),
    }
    return tokenOf(httpGet(address, { settings: { ca, proxyFor, advice, authorizer }, signal }), signal)
  }

  /** As OAuth has it: what was given at the login is sent in the body, and a redirect is no answer to that. */
  async #exchange(
    realm: URL,
    parameters: ReadonlyMap<string, string>,
    { refreshToken }: RefreshToken,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const { ca, proxyFor, advice } = this.#options.settings
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      service: parameters.get('service') ?? '',
      scope: parameters.get('scope') ?? '',
      client_id: 'llamero',
      refresh_token: refreshToken,
    })
    const bytes = Buffer.from(form.toString())
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(bytes.length) }
    const asked = { method: 'POST', headers, body: () => Readable.from([bytes]), signal } as const
    return tokenOf(httpSend(realm, { settings: { ca, proxyFor, advice }, ...asked }), signal)
  }
}

/** Undefined if the server knows nobody by what it was shown. */
async function tokenOf(asking: Promise<IncomingMessage>, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    const response = await asking
    const { statusCode: status = 0 } = response
    if (status === 200) return parseToken(await readBody(response, { maxBytes: mostTokenBytes, signal }))
    throw transferFailure('status', `${status}: ${await failureOf(response)}`, undefined, status)
  } catch (error) {
    const status = error instanceof LlameroError ? error.details.httpStatus : undefined
    if (typeof status === 'number' && status >= 400 && status < 500 && status !== 429) return undefined
    throw error
  }
}

function tokenAddress(realm: URL, parameters: ReadonlyMap<string, string>, way: TokenWay): URL {
  const address = new URL(realm)
  const service = parameters.get('service')
  if (service !== undefined) address.searchParams.set('service', service)
  for (const scope of (parameters.get('scope') ?? '').split(' ').filter((text) => text !== '')) {
    address.searchParams.append('scope', scope)
  }
  if (way === 'signed') {
    address.searchParams.set('ts', String(Math.floor(Date.now() / 1000)))
    address.searchParams.set('nonce', randomBytes(16).toString('base64url'))
  }
  return address
}

/** What Ollama's clients sign: the method, the whole address with its time and nonce, and the hash of the empty body. */
export function signedText(address: URL): string {
  const emptyHash = createHash('sha256').digest('hex')
  return `GET,${address.href},${Buffer.from(emptyHash).toString('base64')}`
}

function signature(key: IdentityKey, address: URL): string {
  return `${key.publicKey}:${key.sign(signedText(address)).toString('base64')}`
}

function basicHeader({ username, password }: PasswordCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

function parseToken(body: Buffer): string {
  try {
    const { token, access_token: accessToken } = JSON.parse(body.toString('utf8')) as Record<string, unknown>
    const found = token || accessToken
    // Anything else would be another header, or none.
    if (typeof found === 'string' && /^[\x21-\x7e]+$/.test(found)) return found
  } catch {
    // Told below, without the text.
  }
  throw transferFailure('protocol', "The registry's token server answered without a token.")
}
