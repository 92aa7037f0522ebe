import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readGguf, type ReadGgufOptions } from '../../lib/gguf/index.js'
import { array, text, writeGguf } from '../support/gguf-writer.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const headerBytes = 3_000_000
const weights = new Float32Array(8_000_000)
/** A header of some 3 MB, so that it takes several ranges, before 32 MB of weights. */
const file = Buffer.from(
  writeGguf({
    metadata: { 'general.name': text('far away'), words: array('string', [Buffer.alloc(headerBytes, 'w')]) },
    tensors: [{ name: 'weights', dimensions: [weights.length], data: weights }],
  }),
)

type Behaviour = (request: IncomingMessage, response: ServerResponse, turn: number) => void

let behave: Behaviour
let sentBytes = 0
let asked: IncomingMessage[] = []
const server = createServer((request, response) => {
  const write = response.write.bind(response)
  response.write = ((chunk: Uint8Array, ...rest: never[]) => {
    sentBytes += chunk.length
    return write(chunk, ...rest)
  }) as typeof response.write
  asked.push(request)
  behave(request, response, asked.length - 1)
})
let address: URL

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/some%20model.gguf`)
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** Sends as the socket takes it, and ends when the reader hangs up. */
function send(response: ServerResponse, bytes: Buffer): void {
  const piece = 64 * 1024
  let at = 0
  const go = (): void => {
    while (at < bytes.length && !response.destroyed) {
      at += piece
      if (!response.write(bytes.subarray(at - piece, at))) return void response.once('drain', go)
    }
    response.end()
  }
  go()
}

function rangeOf({ headers }: IncomingMessage): [number, number] {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
  return [Number(first), Math.min(Number(last) + 1, file.length)]
}

const ranges: Behaviour = (request, response) => {
  const [start, end] = rangeOf(request)
  response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${file.length}`, etag: '"one"' })
  send(response, file.subarray(start, end))
}
const whole: Behaviour = (_, response) => {
  response.writeHead(200, { 'content-length': file.length })
  send(response, file)
}

async function read(behaviour: Behaviour, options: ReadGgufOptions = {}, from = address) {
  behave = behaviour
  sentBytes = 0
  asked = []
  return readGguf(from, options)
}

describe('a file on a server', () => {
  it.each<[string, Behaviour]>([
    ['by ranges', ranges],
    [
      'by ranges that are shorter than asked for',
      (request, response) => {
        const [start, end] = rangeOf(request)
        const short = Math.min(end, start + 500_000)
        response.writeHead(206, { 'content-range': `bytes ${start}-${short - 1}/${file.length}` })
        send(response, file.subarray(start, short))
      },
    ],
    ['that knows no ranges', whole],
    [
      'behind a redirect',
      (request, response, turn) => {
        if (request.url?.includes('moved') === true) ranges(request, response, turn)
        else response.writeHead(302, { location: '/moved' }).end('elsewhere')
      },
    ],
  ])('is read %s as it is from the disk, without its weights', async (_, behaviour) => {
    const found = await read(behaviour)
    const local = await readGguf(await directory.write('local.gguf', file))
    const { metadata, ...rest } = found
    const { metadata: localMetadata, ...localRest } = local
    expect(rest).toEqual(localRest)
    expect(metadata.get('general.name')).toEqual(localMetadata.get('general.name'))
    expect(metadata.get('words')).toMatchObject({ value: { length: 1 } })
    // What the sockets hold may have been sent too.
    expect(sentBytes).toBeLessThan(16_000_000)
  })

  it('gets its headers and its name and password, but not where it redirects to', async () => {
    const other = createServer((request, response) => {
      asked.push(request)
      ranges(request, response, 0)
    })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/x`
    const secret = new URL(address)
    secret.username = 'me'
    secret.password = 'p w'
    await read(
      (_, response) => response.writeHead(307, { location: elsewhere }).end(),
      { headers: { 'x-key': '1' } },
      secret,
    )
    other.closeAllConnections()
    other.close()
    expect(asked[0]?.headers).toMatchObject({ authorization: `Basic ${btoa('me:p w')}`, 'x-key': '1' })
    expect(asked[1]?.headers).not.toHaveProperty('authorization')
    expect(asked[1]?.headers).not.toHaveProperty('x-key')
  })

  it('is asked for by the fetch that is given', async () => {
    const seen: string[] = []
    const ask: typeof fetch = (input, init) => {
      seen.push(new Headers(init?.headers).get('range') ?? '')
      return fetch(input, init)
    }
    await read(ranges, { fetch: ask })
    expect(seen.slice(0, 2)).toEqual(['bytes=0-262143', 'bytes=262144-786431'])
  })
})

const status =
  (code: number, headers: Record<string, string> = {}): Behaviour =>
  (_, response) =>
    void response.writeHead(code, headers).end('no')

describe('a server that does not do as it should', () => {
  it.each<[string, Behaviour, string, RegExp]>([
    ['has no such file', status(404), 'ERR_MODEL_NOT_FOUND', /no file at this address/],
    ['refuses', status(403), 'ERR_REGISTRY', /refused access \(403\)/],
    ['fails', status(500), 'ERR_REGISTRY', /status 500/],
    ['has an empty file', status(416), 'ERR_MODEL_INVALID', /empty/],
    ['sends a web page', status(200, { 'content-length': '2' }), 'ERR_MODEL_INVALID', /does not begin with 'GGUF'/],
    ['tells no size', (_, response) => void response.writeHead(200).end('GGUF'), 'ERR_REGISTRY', /size of the file/],
    ['redirects for ever', status(302, { location: '/again' }), 'ERR_REGISTRY', /more than 5 times/],
    ['redirects to a file', status(302, { location: 'file:///etc/passwd' }), 'ERR_REGISTRY', /must not be followed/],
    ['encodes', status(206, { 'content-encoding': 'gzip' }), 'ERR_REGISTRY', /encoded/],
    ['sends another range', status(206, { 'content-range': 'bytes 5-9/100' }), 'ERR_REGISTRY', /another range/],
    ['sends no range', status(206), 'ERR_REGISTRY', /another range/],
    [
      'changes the file',
      (request, response, turn) => {
        const [start, end] = rangeOf(request)
        response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${file.length}`, etag: `"${turn}"` })
        send(response, file.subarray(start, end))
      },
      'ERR_REGISTRY',
      /changed the file/,
    ],
    [
      'ends too early',
      (_, response) => {
        response.writeHead(206, { 'content-range': `bytes 0-262143/${file.length}` })
        response.end(file.subarray(0, 1000))
      },
      'ERR_REGISTRY',
      /ended its answer before/,
    ],
    [
      'hangs up',
      (request) => void request.socket.destroy(),
      'ERR_REGISTRY',
      /could not be reached or hung up \(UND_ERR_SOCKET\)/,
    ],
    [
      'claims less than the header has',
      (_, response) =>
        void response.writeHead(206, { 'content-range': 'bytes 0-999/1000' }).end(file.subarray(0, 1000)),
      'ERR_MODEL_INVALID',
      /1000/,
    ],
  ])('%s', async (_, behaviour, code, message) => {
    await expect(read(behaviour)).rejects.toMatchObject({
      name: 'LlameroError',
      code,
      message: expect.stringMatching(message) as string,
    })
  })

  it.each<[string, Behaviour]>([
    ['never answers', () => undefined],
    [
      'stops in the middle',
      (_, response) => {
        response.writeHead(206, { 'content-range': `bytes 0-262143/${file.length}` })
        response.write(file.subarray(0, 1000))
      },
    ],
  ])('%s', async (_, behaviour) => {
    await expect(read(behaviour, { idleMs: 200 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
    const reason = new Error('enough')
    await expect(read(behaviour, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const control = new AbortController()
    setTimeout(() => control.abort(reason), 100)
    await expect(read(behaviour, { signal: control.signal })).rejects.toBe(reason)
  })

  it('is not there', async () => {
    await expect(read(ranges, {}, new URL('http://127.0.0.1:1/x.gguf'))).rejects.toMatchObject({ code: 'ERR_REGISTRY' })
    await expect(read(ranges, {}, new URL('ftp://127.0.0.1/x.gguf'))).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
    })
  })
})

it('a text is a path, also one that looks like an address', async () => {
  await expect(readGguf(address.href)).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
})
