import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { encodeManifest, mediaTypes } from '../../lib/store/index.js'
import { planParts } from '../../lib/transfer/blob-download.js'
import { serveFiles } from './file-server.js'
import { registryPulls } from './registry-pulls.js'
import {
  answerBlob,
  config,
  layerOf,
  license,
  manifestOf,
  serveRegistry,
  weights,
  type Call,
  type RegistryScript,
  type ScriptedRegistry,
} from './scripted-registry.js'

const setup = registryPulls()
const { digest } = layerOf(mediaTypes.model, weights)
const isWeights = ({ path }: Pick<Call, 'path'>) => path.endsWith(digest)
const honestManifest = Buffer.from(encodeManifest(manifestOf()))
const partBytes = Math.ceil(weights.length / 5)

describe('a pull from a registry', () => {
  it('gets the manifest, the layers and the config, and tells it in the words of Ollama', async () => {
    await using registry = await serveRegistry()
    const { outcome, news } = await setup.pull(registry)
    await setup.expectStored(outcome, honestManifest)
    expect(outcome).toMatchObject({ displayName: `${registry.host}/ns/m:1`, modelDigest: digest })
    const short = (content: Buffer) => `pulling ${layerOf('', content).digest.slice(7, 19)}`
    expect([...new Set(news.map(({ status }) => status))]).toEqual([
      ...['pulling manifest', short(weights), short(license), short(config)],
      ...['verifying sha256 digest', 'writing manifest', 'success'],
    ])
    for (const content of [weights, license, config]) {
      expect(news.findLast(({ status }) => status === short(content))).toMatchObject({
        digest: layerOf('', content).digest,
        total: content.length,
        completed: content.length,
      })
    }
  })

  it('fetches only what is missing, and nothing the second time', async () => {
    await using registry = await serveRegistry()
    await setup.store.blobs.ingest([weights])
    await setup.pull(registry)
    expect(registry.calls.filter(isWeights)).toEqual([])
    const before = registry.calls.length
    await setup.pull(registry)
    expect(registry.calls.slice(before).map(({ path }) => path)).toEqual(['/v2/ns/m/manifests/1'])
  })

  it('S7: believes no blob that is already there, and heals it', async () => {
    await using registry = await serveRegistry()
    await setup.store.blobs.ingest([weights])
    writeFileSync(setup.store.blobs.path(digest), Buffer.alloc(weights.length))
    await setup.expectStored((await setup.pull(registry)).outcome, honestManifest)
  })

  const partsAsked = ({ calls }: ScriptedRegistry) =>
    calls.filter(isWeights).map(({ request }) => request.headers.range)

  it('fetches the parts of a large blob at the same time', async () => {
    const waiting: Call[] = []
    await using registry = await serveRegistry({
      behave: (call) => {
        if (!isWeights(call) || call.turn === 0) call.honest()
        else if (waiting.push(call) === 5) for (const one of waiting) one.honest()
      },
    })
    await setup.expectStored((await setup.pull(registry, { partBytes })).outcome, honestManifest)
    expect(waiting).toHaveLength(5)
  })

  it('takes one part from a server that knows no ranges', async () => {
    await using registry = await serveRegistry({
      behave: (call) => {
        if (!isWeights(call)) call.honest()
        else answerBlob(call, weights, { knowsRanges: false })
      },
    })
    await setup.expectStored((await setup.pull(registry, { partBytes })).outcome, honestManifest)
    expect(partsAsked(registry)).toEqual(['bytes=0-0', `bytes=0-${weights.length - 1}`])
  })

  it('goes on where an earlier one stopped', async () => {
    let isBroken = true
    await using registry = await serveRegistry({
      behave: (call) => {
        if (isBroken && isWeights(call) && call.request.headers.range?.startsWith(`bytes=${partBytes}-`))
          call.response.writeHead(404).end()
        else call.honest()
      },
    })
    expect((await setup.pull(registry, { partBytes })).outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    await setup.expectNothing()
    const kept = await setup.store.partials.totalBytes(digest)
    isBroken = false
    const before = registry.calls.length
    await setup.expectStored((await setup.pull(registry, { partBytes })).outcome, honestManifest)
    const fetched = registry.calls
      .slice(before)
      .filter(isWeights)
      .slice(1)
      .map(({ request }) => /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [])
      .reduce((sum, [, first, last]) => sum + Number(last) + 1 - Number(first), 0)
    expect(fetched + kept).toBe(weights.length)
  })

  const atFirst = (behave: (call: Call) => unknown) => (call: Call) => {
    if (call.turn === 0) behave(call)
    else call.honest()
  }
  const interrupted: [string, RegistryScript['behave']][] = [
    ['a reset before the manifest', atFirst(({ request }) => request.socket.destroy())],
    ['500 for each first request', atFirst(({ response }) => response.writeHead(500).end())],
    ['429 for each first request', atFirst(({ response }) => response.writeHead(429).end())],
    [
      'a reset in the middle of the weights',
      (call) => {
        if (!isWeights(call) || call.turn > 0) {
          call.honest()
          return
        }
        const range = `bytes 0-${weights.length - 1}/${weights.length}`
        call.response.writeHead(206, { 'content-length': weights.length, 'content-range': range })
        call.response.write(weights.subarray(0, weights.length >> 1), () => call.response.socket?.end())
      },
    ],
    [
      'a server that falls silent once',
      (call) => {
        if (!isWeights(call) || call.turn > 0) call.honest()
      },
    ],
  ]
  it.each(interrupted)('gets over %s', async (_, behave) => {
    await using registry = await serveRegistry({ ...(behave && { behave }) })
    await setup.expectStored((await setup.pull(registry)).outcome, honestManifest)
  })

  it('stops when it is aborted', async () => {
    const abort = new AbortController()
    const reason = new Error('stop')
    await using registry = await serveRegistry({
      behave: (call) => {
        if (isWeights(call)) abort.abort(reason)
        else call.honest()
      },
    })
    expect((await setup.pull(registry, { signal: abort.signal })).outcome).toBe(reason)
    await setup.expectNothing()
  })

  it('stores the model under another name when it is asked to', async () => {
    await using registry = await serveRegistry()
    expect((await setup.pull(registry, { name: 'mine:2' })).outcome).toMatchObject({ displayName: 'mine:2' })
  })

  it('of a name that the registry does not have says so', async () => {
    await using registry = await serveRegistry()
    expect((await setup.pull(registry, {}, 'ns/other:1')).outcome).toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringMatching(/^pull model manifest: file does not exist: .*ns\/other:1/) as string,
    })
  })

  it('N7: without --insecure asks no registry by plain http', async () => {
    await using registry = await serveRegistry()
    const { outcome } = await setup.pull({ host: `http://${registry.host}` }, { insecure: false })
    expect(outcome).toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringMatching(/insecure protocol http/) as string,
    })
    expect((await setup.pull(registry, { insecure: false })).outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    expect(registry.calls).toEqual([])
  })
})

describe('a registry that lies', () => {
  const endless = ({ response }: Call, status: number) => {
    response.writeHead(status, { 'content-type': mediaTypes.manifest })
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, 32)));
    }
    response.on('drain', more)
    more()
  }
  const only = (match: (call: Call) => boolean, lie: (call: Call) => void) => (call: Call) =>
    match(call) ? lie(call) : call.honest()
  const isManifest = ({ path }: Call) => path.includes('/manifests/')
  const redirect = (location: string) =>
    only(isWeights, ({ response }) => void response.writeHead(307, { location }).end())
  const other = Buffer.concat([weights.subarray(0, -1), Buffer.of(weights.at(-1)! ^ 1)])
  const withText = (from: string, to: string) =>
    Buffer.from(Buffer.from(encodeManifest(manifestOf())).toString().replace(from, to))
  const withDigest = (text: string) => ({ manifest: withText(digest, text) })
  const withSize = (text: string) => ({ manifest: withText(`"size":${weights.length}`, `"size":${text}`) })

  const lies: [string, RegistryScript, string, RegExp?][] = [
    ['other bytes', { behave: only(isWeights, (call) => answerBlob(call, other)) }, 'ERR_DIGEST', /^digest mismatch/],
    [
      'S7: other bytes for a digest that is layer and config',
      {
        manifest: manifestOf({ config: layerOf(mediaTypes.config, weights) }),
        behave: only(isWeights, (call) => answerBlob(call, other)),
      },
      'ERR_DIGEST',
    ],
    [
      'S8: a short body',
      { behave: only(isWeights, (call) => answerBlob(call, weights.subarray(0, -7))) },
      'ERR_REGISTRY',
    ],
    ['S8: a body that never ends', { behave: only(isWeights, (call) => endless(call, 200)) }, 'ERR_DIGEST'],
    [
      'no blob',
      { behave: only(isWeights, ({ response }) => void response.writeHead(404).end()) },
      'ERR_REGISTRY',
      /404/,
    ],
    [
      '500 for ever',
      { behave: ({ response }) => void response.writeHead(500).end('it hurts') },
      'ERR_REGISTRY',
      /hurts/,
    ],
    [
      'a message for older clients',
      { behave: ({ response }) => void response.writeHead(412).end('please update') },
      'ERR_REGISTRY',
      /412: please update/,
    ],
    ['silence', { behave: () => undefined }, 'ERR_REGISTRY'],
    ['a reset each time', { behave: ({ request }) => request.socket.destroy() }, 'ERR_REGISTRY'],
    ['S9: a manifest that never ends', { behave: (call) => endless(call, 200) }, 'ERR_REGISTRY', /longer than/],
    ['S9: a failure that never ends', { behave: (call) => endless(call, 400) }, 'ERR_REGISTRY', /400/],
    [
      'S9: an encoded manifest',
      { behave: ({ response }) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end() },
      'ERR_REGISTRY',
    ],
    ['S1: a digest that is a path', withDigest('sha256:../../x'), 'ERR_DIGEST'],
    ['S1: an encoded path', withDigest('sha256:%2e%2e%2fx'), 'ERR_DIGEST'],
    ['S1: 63 digits', withDigest(digest.slice(0, -1)), 'ERR_DIGEST'],
    ['S1: digits and a path', withDigest(`${digest}/../x`), 'ERR_DIGEST'],
    ['S1: digits and a line feed', withDigest(`${digest}\\n`), 'ERR_DIGEST'],
    ['S1: another algorithm', withDigest(digest.replace('256', '512')), 'ERR_DIGEST'],
    ['S8: no size', withSize('null'), 'ERR_MANIFEST_INVALID'],
    ['S8: a negative size', withSize('-1'), 'ERR_MANIFEST_INVALID'],
    ['S8: a size of 0', withSize('0'), 'ERR_MANIFEST_INVALID'],
    ['S8: a size as text', withSize('"5"'), 'ERR_MANIFEST_INVALID'],
    ['S8: an absurd size', withSize('1e300'), 'ERR_MANIFEST_INVALID'],
    ['S8: a size beyond every disk', withSize('9007199254740991'), 'ERR_DISK_FULL'],
    ['S8: a size that is too large', withSize(String(weights.length + 1)), 'ERR_REGISTRY'],
    ['S8: a size that is too small', withSize(String(weights.length - 1)), 'ERR_DIGEST'],
    ['S10: layers twice', { manifest: withText('"layers":', '"layers":[],"layers":') }, 'ERR_MANIFEST_INVALID'],
    [
      'S10: an unknown schema',
      { manifest: withText('"schemaVersion":2', '"schemaVersion":3') },
      'ERR_MANIFEST_INVALID',
    ],
    [
      'S10: layers and manifests',
      { manifest: withText('"layers":', '"manifests":[],"layers":') },
      'ERR_MANIFEST_INVALID',
    ],
    [
      'S10: a type in the header and another in the document',
      { manifest: manifestOf({ mediaType: mediaTypes.ociManifest }) },
      'ERR_MANIFEST_INVALID',
      /sent as/,
    ],
    [
      'an index of images',
      {
        manifest: Buffer.from(
          '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
        ),
      },
      'ERR_UNSUPPORTED',
      /index/,
    ],
    ['no JSON', { manifest: Buffer.from('<html>') }, 'ERR_MANIFEST_INVALID'],
    ['an image without a model', { manifest: manifestOf({ layers: [] }) }, 'ERR_UNSUPPORTED', /GGUF/],
    [
      'another digest for the manifest than it has',
      {
        behave: only(isManifest, ({ response }) => {
          const headers = { 'content-type': mediaTypes.manifest, 'docker-content-digest': `sha256:${'0'.repeat(64)}` }
          response.writeHead(200, headers).end(honestManifest)
        }),
      },
      'ERR_DIGEST',
    ],
    [
      'two sizes for one blob',
      {
        manifest: manifestOf({
          layers: [layerOf(mediaTypes.model, weights), { ...layerOf(mediaTypes.license, weights), size: 5 }],
        }),
      },
      'ERR_MANIFEST_INVALID',
    ],
    ['N3: a circle of redirects', { behave: redirect(`/v2/ns/m/blobs/${digest}`) }, 'ERR_REGISTRY', /redirected more/],
    ['N3: a redirect to a file', { behave: redirect('file:///etc/passwd') }, 'ERR_REGISTRY', /must not be followed/],
    ['N3: a redirect to data', { behave: redirect('data:,x') }, 'ERR_REGISTRY', /must not be followed/],
  ]
  it.each(lies)('with %s gets an error, and leaves nothing', async (_, script, code, message = /./) => {
    await using registry = await serveRegistry(script)
    const { outcome } = await setup.pull(registry)
    expect(outcome).toMatchObject({ code, message: expect.stringMatching(message) as string })
    expect((outcome as Error).message.length).toBeLessThan(600)
    await setup.expectNothing()
    expect(await setup.store.blobs.has(digest)).toBe(false)
    if (code === 'ERR_DIGEST') expect(await setup.store.partials.totalBytes(digest)).toBe(0)
  })

  it('S15: whose config names another machine is refused', async () => {
    const remote = Buffer.from('{"\\u0072emote_host":"http://10.0.0.1"}')
    const manifest = manifestOf({ config: layerOf(mediaTypes.config, remote) })
    await using registry = await serveRegistry({ manifest, blobs: [weights, license, remote] })
    expect((await setup.pull(registry)).outcome).toMatchObject({ code: 'ERR_UNSUPPORTED' })
    await setup.expectNothing()
  })

  it('S9: a manifest that comes a byte at a time is not waited for', async () => {
    await using registry = await serveRegistry({
      behave: ({ response }) => {
        response.writeHead(200)
        const timer = setInterval(() => {
          if (response.destroyed) clearInterval(timer)
          else response.write(' ')
        }, 500)
      },
    })
    const { outcome } = await setup.pull(registry, { retry: { attempts: 1 } })
    expect(outcome).toMatchObject({ code: 'ERR_REGISTRY', message: expect.stringMatching(/30 seconds/) as string })
  })

  it('N3: that redirects elsewhere gets its way, and the credentials stay', async () => {
    await using elsewhere = await serveFiles({ '/blob': weights })
    const location = new URL('/blob?signature=x', elsewhere.url).href
    await using registry = await serveRegistry({
      behave: (call) => {
        if (call.request.headers.authorization === undefined)
          call.response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
        else redirect(location)(call)
      },
    })
    setup.logIn(registry.host)
    await setup.expectStored((await setup.pull(registry)).outcome, honestManifest)
    expect(elsewhere.asked).toHaveLength(1)
    expect(elsewhere.asked[0]?.headers).not.toHaveProperty('authorization')
    expect(elsewhere.asked[0]?.headers).not.toHaveProperty('cookie')
  })
})

describe('planParts', () => {
  it.each([
    [0, undefined, []],
    [5, undefined, [5]],
    [100_000_001, undefined, [100_000_000, 1]],
    [32_000_000_000, undefined, Array<number>(32).fill(1_000_000_000)],
    [10, 4, [4, 4, 2]],
  ])('cuts %d bytes by %s into %j', (size, bytes, lengths) => {
    const parts = planParts(size, bytes)
    expect(parts.map(({ length }) => length)).toEqual(lengths)
    expect(parts.map(({ start }) => start)).toEqual(lengths.map((_, index) => index * (lengths[0] ?? 0)))
  })
})
