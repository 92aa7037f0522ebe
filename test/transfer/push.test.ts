import { createHash } from 'node:crypto'
import dns from 'node:dns'
import { rmSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { mediaTypes } from '../../lib/store/index.js'
import { push, pushedPlace, type PushOptions, type TransferProgress } from '../../lib/transfer/index.js'
import { parseName } from '../../lib/store/index.js'
import { serveFiles } from './file-server.js'
import { registryPulls } from './registry-pulls.js'
import { layerOf, license, serveRegistry, weights, type Call, type RegistryScript } from './scripted-registry.js'

const setup = registryPulls()
const model = layerOf(mediaTypes.model, weights)
const chunkBytes = Math.ceil(weights.length / 4)

const createModel = async (name: string, from?: string) => {
  const { store } = setup
  await store.blobs.ingest([weights])
  const note = await store.addLayer(mediaTypes.license, license)
  return store.createModel(name, { layers: [{ ...model, ...(from !== undefined && { from }) }, note] })
}

async function pushTo(script: RegistryScript, changes: PushOptions = {}, from?: string) {
  const registry = await serveRegistry({ blobs: [], ...script })
  const name = `${registry.host}/ns/new:2`
  const { manifestDigest, config } = await createModel(name, from?.replace('HOST', registry.host))
  const news: TransferProgress[] = []
  const pushing = push(setup.store, name, { ...setup.options(), ...changes })
  try {
    for await (const one of pushing) news.push(one)
  } catch {
    // The outcome has it.
  }
  const outcome = await pushing.result.catch((error: unknown) => error as Error)
  await registry[Symbol.asyncDispose]()
  const blobs = [model, layerOf(mediaTypes.license, license), config].map(({ digest }) => digest)
  return { registry, outcome, news, manifestDigest, blobs }
}

const expectPushed = ({ registry, outcome, blobs, manifestDigest }: Awaited<ReturnType<typeof pushTo>>) => {
  if (outcome instanceof Error) throw outcome
  expect([...registry.blobs.keys()].sort()).toEqual([...blobs].sort())
  expect(registry.blobs.get(model.digest)?.equals(weights)).toBe(true)
  const manifest = registry.manifests.get('ns/new:2')
  expect(`sha256:${createHash('sha256').update(manifest!).digest('hex')}`).toBe(manifestDigest)
  // Last, so that nobody finds a name without its blobs.
  const isManifest = ({ path }: { path: string }) => path.includes('/manifests/')
  expect(registry.calls.slice(registry.calls.findIndex(isManifest)).every(isManifest)).toBe(true)
}
const count = ({ registry }: Awaited<ReturnType<typeof pushTo>>, method: string) =>
  registry.calls.filter((call) => call.method === method).length

describe('a push', () => {
  it('sends what the registry lacks, small blobs in one request, and tells it in the words of Ollama', async () => {
    const pushed = await pushTo({})
    expectPushed(pushed)
    expect([count(pushed, 'HEAD'), count(pushed, 'POST'), count(pushed, 'PATCH'), count(pushed, 'PUT')]).toEqual([
      3, 3, 0, 4,
    ])
    const short = pushed.blobs.map((digest) => `pushing ${digest.slice(7, 19)}`)
    expect([...new Set(pushed.news.map(({ status }) => status))]).toEqual([
      ...['retrieving manifest', ...short, 'pushing manifest', 'success'],
    ])
    expect(pushed.news.findLast(({ digest }) => digest === model.digest)).toMatchObject({
      total: weights.length,
      completed: weights.length,
    })
  })

  it('sends large blobs in chunks', async () => {
    const pushed = await pushTo({}, { chunkBytes })
    expectPushed(pushed)
    const ranges = pushed.registry.calls
      .filter(({ method }) => method === 'PATCH')
      .map(({ request }) => request.headers['content-range'])
    expect(ranges).toHaveLength(4)
    expect(ranges[1]).toBe(`${chunkBytes}-${2 * chunkBytes - 1}`)
  })

  it('sends nothing that is there', async () => {
    const pushed = await pushTo({ blobs: [weights, license] })
    expect([count(pushed, 'POST'), pushed.outcome instanceof Error]).toEqual([1, false])
  })

  it.each([
    ['a layer was inherited from', 'HOST/parent/model:1', true],
    ['is at another registry', 'other.host/parent/model:1', false],
    ['is no name', '../../x', false],
  ])('takes over blobs from the repository that %s', async (_, from, isMounted) => {
    const behave = (call: Call) => {
      if (call.method === 'HEAD') call.response.writeHead(404).end()
      else call.honest()
    }
    const pushed = await pushTo({ blobs: [weights], behave }, {}, from)
    if (pushed.outcome instanceof Error) throw pushed.outcome
    const asked = pushed.registry.calls.find(({ method, query }) => method === 'POST' && query.has('mount'))
    expect(asked?.query.get('from')).toBe(isMounted ? 'parent/model' : undefined)
    expect(count(pushed, 'POST') - count(pushed, 'PUT')).toBe(isMounted ? 0 : -1)
  })

  const once = (match: (call: Call) => boolean, behave: (call: Call) => void) => {
    let isDone = false
    return (call: Call) => {
      if (isDone || !match(call)) {
        call.honest()
        return
      }
      isDone = true
      behave(call)
    }
  }
  const isFirstChunk = ({ request, method }: Call) =>
    method === 'PATCH' && request.headers['content-range']?.startsWith('0-') === true
  const isSecondChunk = ({ request, method }: Call) =>
    method === 'PATCH' && request.headers['content-range']?.startsWith(`${chunkBytes}-`) === true
  const interrupted: [string, RegistryScript['behave'], number][] = [
    ['a reset before a chunk', once(isSecondChunk, ({ request }) => request.socket.destroy()), 5],
    ['a reset before the first chunk', once(isFirstChunk, ({ request }) => request.socket.destroy()), 5],
    [
      'a 404 for a later chunk: a forgotten upload',
      once(isSecondChunk, ({ response }) => void response.writeHead(404).end()),
      6,
    ],
    [
      'an upload that it takes for another part than it says',
      (() => {
        const broken = once(isSecondChunk, ({ response }) => void response.writeHead(500).end())
        return (call: Call) =>
          call.method === 'GET' ? void call.response.writeHead(204, { range: '0-0' }).end() : broken(call)
      })(),
      7,
    ],
    ['a 503 for a chunk', once(isSecondChunk, ({ response }) => void response.writeHead(503).end()), 5],
    [
      'an answer that is lost',
      once(isSecondChunk, (call) => {
        const { socket } = call.request
        call.response.writeHead = () => {
          socket.destroy()
          return call.response
        }
        call.honest()
      }),
      4,
    ],
    [
      'an upload that the registry has forgotten',
      (() => {
        const broken = once(isSecondChunk, ({ response }) => void response.writeHead(500).end())
        const forgotten = once(
          ({ method }) => method === 'GET',
          ({ response }) => void response.writeHead(404).end(),
        )
        return (call: Call) => (call.method === 'GET' ? forgotten(call) : broken(call))
      })(),
      6,
    ],
    [
      'a 500 for the commit',
      once(
        ({ method, query }) => method === 'PUT' && query.has('digest'),
        ({ response }) => void response.writeHead(500).end(),
      ),
      4,
    ],
    [
      'a 429 for the manifest',
      once(
        ({ path }) => path.includes('/manifests/'),
        ({ response }) => void response.writeHead(429).end(),
      ),
      4,
    ],
  ]
  it.each(interrupted)('gets over %s, and goes on where the registry stands', async (_, behave, patches) => {
    const pushed = await pushTo({ ...(behave && { behave }) }, { chunkBytes })
    expectPushed(pushed)
    expect(count(pushed, 'PATCH')).toBe(patches)
  })

  it('sends everything at once where chunks are not known', async () => {
    const pushed = await pushTo(
      { behave: (call) => (call.method === 'PATCH' ? void call.response.writeHead(405).end() : call.honest()) },
      { chunkBytes },
    )
    expectPushed(pushed)
  })

  it("speaks Ollama's dialect: chunks go where they are redirected to, without credentials", async () => {
    const chunks = new Map<string, Buffer>()
    await using storage = await serveFiles({}, ({ request, response, path }) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        chunks.set(path, Buffer.concat(parts))
        response.writeHead(chunks.size === 2 && parts.length > 0 && !chunks.has('/retry') ? 500 : 200).end()
        if (chunks.size === 2) chunks.set('/retry', Buffer.alloc(0))
      })
    })
    const commits: URLSearchParams[] = []
    const behave = (call: Call) => {
      const { response, method, path, query, request } = call
      if (request.headers.authorization === undefined)
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      else if (method === 'POST')
        response
          .writeHead(202, { 'docker-upload-location': '/v2/ns/new/blobs/uploads/o?step=0', location: '/wrong' })
          .end()
      else if (method === 'PATCH') {
        expect(request.headers['x-redirect-uploads']).toBe('1')
        const range = request.headers['content-range'] ?? ''
        const location = new URL(`/${range}`, storage.url).href
        response
          .writeHead(307, { location, 'docker-upload-location': `/v2/ns/new/blobs/uploads/o?step=${range}` })
          .end()
      } else if (method === 'PUT' && path.endsWith('/o')) {
        commits.push(query)
        response.writeHead(201).end()
      } else call.honest()
    }
    const registry = await serveRegistry({ blobs: [license], behave })
    setup.logIn(registry.host)
    const name = `${registry.host}/ns/new:2`
    await createModel(name)
    await push(setup.store, name, { ...setup.options(), chunkBytes }).result
    await registry[Symbol.asyncDispose]()
    for (const { headers } of storage.asked) expect(headers).not.toHaveProperty('authorization')
    const parts = [0, 1, 2, 3].map((index) => weights.subarray(index * chunkBytes, (index + 1) * chunkBytes))
    parts.forEach((part, index) => {
      const range = `/${index * chunkBytes}-${Math.min(weights.length, (index + 1) * chunkBytes) - 1}`
      expect(chunks.get(range)?.equals(part)).toBe(true)
    })
    const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest()
    expect(commits[0]?.get('digest')).toBe(model.digest)
    expect(commits[0]?.get('etag')).toBe(`${md5(Buffer.concat(parts.map(md5))).toString('hex')}-4`)
  })

  it('of a private registry that is known by name goes on to its private storage', async () => {
    const resolve = dns.lookup
    const lookup = vi.spyOn(dns, 'lookup')
    lookup.mockImplementation((host: string, ...rest: unknown[]) => {
      Reflect.apply(resolve, dns, [host === 'registry.test' ? '127.0.0.1' : host, ...rest])
    })
    let storedBytes = 0
    await using storage = await serveFiles({}, ({ request, response }) => {
      request.on('data', (part: Buffer) => (storedBytes += part.length))
      request.on('end', () => response.writeHead(200).end())
    })
    await using registry = await serveRegistry({
      blobs: [license],
      behave: (call) => {
        const { response, method, path } = call
        const own = '/v2/ns/new/blobs/uploads/o'
        if (method === 'POST') response.writeHead(202, { 'docker-upload-location': own }).end()
        else if (method === 'PATCH') response.writeHead(307, { location: storage.url.href }).end()
        else if (method === 'PUT' && path === own) response.writeHead(201).end()
        else call.honest()
      },
    })
    const name = `registry.test:${registry.url.port}/ns/new:2`
    try {
      const { config } = await createModel(name)
      await push(setup.store, name, { ...setup.options(), chunkBytes }).result
      expect(storedBytes).toBe(weights.length + config.size)
    } finally {
      lookup.mockRestore()
    }
  })

  const isUpload = ({ method }: Call) => method === 'POST'
  const only = (match: (call: Call) => boolean, lie: (call: Call) => void) => (call: Call) =>
    match(call) ? lie(call) : call.honest()
  const to = (location: string) => only(isUpload, ({ response }) => void response.writeHead(202, { location }).end())
  const fails: [string, RegistryScript, RegExp][] = [
    ['N3: an upload at another host', { behave: to('http://127.0.0.2:9/up') }, /address that is not its own/],
    ['N3: an upload behind a user', { behave: to('//me:pw@127.0.0.1/up') }, /address that is not its own/],
    ['N3: an upload in a file', { behave: to('file:///etc/x') }, /address that is not its own/],
    [
      'N3: a redirect to a file',
      {
        behave: only(
          ({ method }) => method === 'PATCH',
          ({ response }) => void response.writeHead(307, { location: 'file:///x' }).end(),
        ),
      },
      /must not be followed/,
    ],
    [
      'more bytes than were sent',
      {
        behave: only(
          ({ method }) => method === 'PATCH',
          ({ response }) => void response.writeHead(202, { range: '0-999999999' }).end(),
        ),
      },
      /another part/,
    ],
    [
      'a refusal',
      {
        behave: only(
          isUpload,
          ({ response }) => void response.writeHead(403).end('{"errors":[{"message":"read only"}]}'),
        ),
      },
      /403.*docker login.*read only/,
    ],
    [
      '500 for ever',
      { behave: only(isUpload, ({ response }) => void response.writeHead(500).end('it hurts')) },
      /500: it hurts/,
    ],
    [
      'a manifest that it does not want',
      {
        behave: only(
          ({ path }) => path.includes('/manifests/'),
          ({ response }) => void response.writeHead(400).end('{"errors":[{"code":"MANIFEST_INVALID"}]}'),
        ),
      },
      /400: MANIFEST_INVALID/,
    ],
    [
      'an upload that is forgotten again and again',
      {
        behave: (call: Call) =>
          isSecondChunk(call)
            ? void call.response.writeHead(500).end()
            : call.method === 'GET'
              ? void call.response.writeHead(404).end()
              : call.honest(),
      },
      /answered 500/,
    ],
    [
      'a chunk that finds its upload forgotten again and again',
      { behave: only(isSecondChunk, ({ response }) => void response.writeHead(404).end()) },
      /has forgotten the upload/,
    ],
    ['silence', { behave: only(isUpload, () => undefined) }, /sent nothing/],
  ]
  it.each(fails)('fails at %s, and the store stays as it is', async (_, script, message) => {
    const { outcome, registry } = await pushTo(script, { chunkBytes, retry: { attempts: 2, pauseMs: 1, idleMs: 500 } })
    expect(outcome).toMatchObject({ code: 'ERR_REGISTRY', message: expect.stringMatching(message) as string })
    expect(registry.manifests.has('ns/new:2')).toBe(false)
    expect((await setup.store.list()).models).toHaveLength(1)
  })

  it('of a model that is not there says so', async () => {
    await expect(push(setup.store, 'me/nothing:1').result).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringMatching(/^couldn't retrieve manifest: .*me\/nothing:1/) as string,
    })
  })

  it('of a model that lacks a blob asks nobody', async () => {
    await using registry = await serveRegistry()
    await createModel(`${registry.host}/ns/new:2`)
    rmSync(setup.store.blobs.path(layerOf('', license).digest))
    await expect(push(setup.store, `${registry.host}/ns/new:2`, setup.options()).result).rejects.toMatchObject({
      code: 'ERR_STORE',
      message: expect.stringMatching(/Pull the model again/) as string,
    })
    expect(registry.calls).toEqual([])
  })

  it('N7: asks no registry by plain http unless it may', async () => {
    await createModel('127.0.0.1:9/ns/new:2')
    await expect(push(setup.store, 'http://127.0.0.1:9/ns/new:2').result).rejects.toMatchObject({
      message: expect.stringMatching(/insecure protocol http/) as string,
    })
  })
})

describe('the place of a pushed model', () => {
  it.each([
    ['me/model', 'https://ollama.com/me/model'],
    ['me/model:2', 'https://ollama.com/me/model:2'],
    ['model:2', 'https://ollama.com/model:2'],
    ['host:5000/me/model', 'host:5000/me/model:latest'],
  ])('of %s is %s', (name, place) => expect(pushedPlace(parseName(name))).toBe(place))
})
