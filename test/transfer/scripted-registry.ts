import { createHash, createPublicKey, verify } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { digestOf, encodeManifest, mediaTypes, type Layer, type Manifest } from '../../lib/store/index.js'
import { randomModel } from '../support/random-model.js'

export const weights = Buffer.from(randomModel('llama'))
export const config = Buffer.from(JSON.stringify({ model_format: 'gguf', model_family: 'llama' }))
export const license = Buffer.from('Do as you like.\n')

export const layerOf = (mediaType: string, content: Buffer): Layer => ({
  mediaType,
  digest: digestOf(content),
  size: content.length,
})
export const manifestOf = (changes: Partial<Manifest> = {}): Manifest => ({
  schemaVersion: 2,
  mediaType: mediaTypes.manifest,
  config: layerOf(mediaTypes.config, config),
  layers: [layerOf(mediaTypes.model, weights), layerOf(mediaTypes.license, license)],
  ...changes,
})

/** One request, with what the registry knows of it. */
export interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Buffer
  /** Calls before this one of the same method and path. */
  readonly turn: number
  /** Answers as an honest registry does. */
  honest(): void
}

export interface ScriptedRegistry extends AsyncDisposable {
  readonly url: URL
  readonly host: string
  readonly calls: readonly Pick<Call, 'method' | 'path' | 'query' | 'body' | 'request'>[]
  /** By digest. */
  readonly blobs: Map<string, Buffer>
  /** By `ns/model:tag`. */
  readonly manifests: Map<string, Buffer>
}

export interface RegistryScript {
  /** Has the registry behave otherwise than honestly. */
  readonly behave?: (call: Call) => void
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer }
  readonly manifest?: Manifest | Buffer
  readonly blobs?: readonly Buffer[]
}

/** A registry on the loopback device that has `ns/m:1`, unless a test scripts it. */
export async function serveRegistry(script: RegistryScript = {}): Promise<ScriptedRegistry> {
  const { behave, tls, manifest = manifestOf(), blobs: contents = [weights, config, license] } = script
  const calls: Call[] = []
  const blobs = new Map(contents.map((content) => [digestOf(content) as string, content]))
  const manifests = new Map([['ns/m:1', Buffer.isBuffer(manifest) ? manifest : Buffer.from(encodeManifest(manifest))]])
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('error', () => undefined)
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { pathname: path, searchParams: query } = new URL(request.url ?? '/', 'http://x')
      const method = request.method ?? ''
      const turn = calls.filter((call) => call.path === path && call.method === method).length
      const call: Call = {
        ...{ request, response, method, path, query, turn, body: Buffer.concat(chunks) },
        honest: () => answer(call, blobs, manifests),
      }
      calls.push(call)
      if (behave === undefined) call.honest()
      else behave(call)
    })
  }
  const server: Server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `${tls === undefined ? '127.0.0.1' : 'localhost'}:${(server.address() as AddressInfo).port}`
  return {
    url: new URL(`${tls === undefined ? 'http' : 'https'}://${host}`),
    host,
    calls,
    blobs,
    manifests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const repository = /^\/v2\/([\w-]+\/[\w.-]+)\/(manifests|blobs)\/(.+)$/

function answer(call: Call, blobs: Map<string, Buffer>, manifests: Map<string, Buffer>): void {
  const { response, method, path } = call
  const [, name = '', kind, rest = ''] = repository.exec(path) ?? []
  if (kind === 'manifests') answerManifest(call, `${name}:${rest}`, manifests)
  else if (kind === 'blobs' && rest.startsWith('uploads/')) answerUpload(call, name, blobs)
  else if (kind === 'blobs' && ['GET', 'HEAD'].includes(method)) answerBlob(call, blobs.get(rest))
  else response.writeHead(404).end()
}

function answerManifest({ method, response, body, request }: Call, name: string, manifests: Map<string, Buffer>): void {
  if (method === 'PUT') {
    manifests.set(name, body)
    response.writeHead(201, { 'docker-content-digest': digestOf(body) }).end()
    return
  }
  const manifest = manifests.get(name)
  if (manifest === undefined) {
    response.writeHead(404).end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }))
    return
  }
  const [type] = (request.headers.accept ?? '').split(',')
  response.writeHead(200, { 'content-type': type, 'docker-content-digest': digestOf(manifest) }).end(manifest)
}

export function answerBlob(
  { request, response, method }: Call,
  blob: Buffer | undefined,
  { knowsRanges = true } = {},
): void {
  if (blob === undefined) {
    response.writeHead(404).end()
    return
  }
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec((knowsRanges && request.headers.range) || '') ?? []
  const start = Number(first ?? 0)
  const end = last === undefined || last === '' ? blob.length : Math.min(blob.length, Number(last) + 1)
  const headers = {
    'content-length': end - start,
    ...(first !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${blob.length}` }),
  }
  response
    .writeHead(first === undefined ? 200 : 206, headers)
    .end(method === 'HEAD' ? undefined : blob.subarray(start, end))
}

const uploads = new Map<string, Buffer>()
let uploadCount = 0

function answerUpload(
  { method, path, query, body, request, response }: Call,
  name: string,
  blobs: Map<string, Buffer>,
) {
  if (method === 'POST') {
    const mount = query.get('mount')
    if (mount !== null && blobs.has(mount)) {
      response.writeHead(201).end()
      return
    }
    const location = `/v2/${name}/blobs/uploads/${(uploadCount += 1)}`
    uploads.set(location, Buffer.alloc(0))
    response.writeHead(202, { location, range: '0-0' }).end()
    return
  }
  const held = uploads.get(path)
  if (held === undefined) {
    response.writeHead(404).end()
    return
  }
  const range = (bytes: Buffer) => `0-${Math.max(0, bytes.length - 1)}`
  if (method === 'GET') {
    response.writeHead(204, { location: path, range: range(held) }).end()
    return
  }
  const start = /^(\d+)-\d+$/.exec(request.headers['content-range'] ?? '')?.[1]
  if (start !== undefined && Number(start) !== held.length) {
    response.writeHead(416, { range: range(held) }).end()
    return
  }
  const whole = Buffer.concat([held, body])
  uploads.set(path, whole)
  if (method === 'PATCH') {
    response.writeHead(202, { location: path, range: range(whole) }).end()
    return
  }
  const digest = query.get('digest') ?? ''
  if (digestOf(whole) !== digest) {
    response
      .writeHead(400)
      .end(JSON.stringify({ errors: [{ code: 'DIGEST_INVALID', message: 'provided digest did not match' }] }))
    return
  }
  blobs.set(digest, whole)
  response.writeHead(201, { 'docker-content-digest': digest }).end()
}

/** Whether a token request is signed as Ollama's clients sign theirs; this is our reference verifier (N2). */
export function isSigned(authorization: string | undefined, address: URL, seen = new Set<string>()): boolean {
  const [blob = '', signature = ''] = (authorization ?? '').split(':')
  const point = Buffer.from(blob, 'base64').subarray(-32)
  if (point.length !== 32) return false
  const prefix = Buffer.from('302a300506032b6570032100', 'hex')
  const key = createPublicKey({ key: Buffer.concat([prefix, point]), format: 'der', type: 'spki' })
  const emptyHash = createHash('sha256').digest('hex')
  const text = `GET,${address.href},${Buffer.from(emptyHash).toString('base64')}`
  const nonce = address.searchParams.get('nonce') ?? ''
  const age = Math.abs(Date.now() / 1000 - Number(address.searchParams.get('ts')))
  if (seen.has(nonce) || !/^[\w-]{22}$/.test(nonce) || !(age < 60)) return false
  seen.add(nonce)
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'))
}
