import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { encodeManifest } from '../../lib/store/index.js'
import { parseChallenges } from '../../lib/transfer/challenge.js'
import { dockerCredentials } from '../../lib/transfer/docker-credentials.js'
import { identityKey } from '../../lib/transfer/identity-key.js'
import { serveFiles } from './file-server.js'
import { registryPulls } from './registry-pulls.js'
import { isSigned, manifestOf, serveRegistry, weights, type Call, type ScriptedRegistry } from './scripted-registry.js'
import { tokenRegistry } from './token-registry.js'

const setup = registryPulls()
const manifest = Buffer.from(encodeManifest(manifestOf()))
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('a registry that wants proof', () => {
  it('of the basic kind gets what docker login has stored', async () => {
    await using registry = await serveRegistry({
      behave: (call) => {
        if (call.request.headers.authorization === basic('me:canary')) call.honest()
        else call.response.writeHead(401, { 'www-authenticate': 'Basic realm="here"' }).end()
      },
    })
    setup.logIn(registry.host)
    await setup.expectStored((await setup.pull(registry)).outcome, manifest)
    const asked = registry.calls.map(({ request }) => request.headers.authorization)
    expect(asked[0]).toBeUndefined()

    setup.logIn(registry.host, 'me', 'canary-but-wrong')
    expect((await setup.pull(registry, { name: 'other' })).outcome).toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringMatching(/docker login/) as string,
    })
    setup.logIn('another.host')
    expect((await setup.pull(registry, { name: 'other' })).outcome).toMatchObject({ code: 'ERR_REGISTRY' })
  })

  it('of the token kind is asked for one, with service and scopes, and then gets that', async () => {
    await using registry = await tokenRegistry(() => true)
    await setup.expectStored((await setup.pull(registry)).outcome, manifest)
    const token = registry.calls.find(({ path }) => path === '/token')
    expect([token?.query.get('service'), token?.query.getAll('scope')]).toEqual([
      'x y',
      ['repository:ns/m:pull', 'a:b:pull'],
    ])
    expect(token?.request.headers.authorization).toBeUndefined()
  })

  it('gives tokens to those who have logged in', async () => {
    await using registry = await tokenRegistry(({ request }) => request.headers.authorization === basic('me:canary'))
    setup.logIn(registry.host)
    await setup.expectStored((await setup.pull(registry)).outcome, manifest)
  })

  it('whose tokens end is asked for new ones', async () => {
    await using registry = await tokenRegistry(() => true, { lifetime: 2 })
    await setup.expectStored((await setup.pull(registry)).outcome, manifest)
    expect(registry.calls.filter(({ path }) => path === '/token')).toHaveLength(2)
  })

  it('is asked for one token by parts that are refused together', async () => {
    const isPart = ({ request }: Call) => /^bytes=\d+-\d+$/.test(request.headers.range ?? '')
    const refused: Call[] = []
    let tokens = 0
    await using registry = await serveRegistry({
      behave: (call) => {
        const { response, request, path } = call
        const refuse = ({ response: to }: Call) =>
          to.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end()
        if (path === '/token') response.writeHead(200).end(JSON.stringify({ token: `token-${(tokens += 1)}` }))
        else if (request.headers.authorization === 'Bearer token-1' && isPart(call) && call.turn > 0) {
          if (refused.push(call) === 9) refused.forEach(refuse)
        } else if (request.headers.authorization === `Bearer token-${tokens}`) call.honest()
        else refuse(call)
      },
    })
    const partBytes = Math.ceil(weights.length / 9)
    await setup.expectStored((await setup.pull(registry, { partBytes })).outcome, manifest)
    expect(tokens).toBeGreaterThan(1)
    expect(tokens).toBeLessThan(5)
  })

  it('whose tokens are no good is not asked for ever', async () => {
    await using registry = await tokenRegistry(() => true, { lifetime: 0 })
    const { outcome } = await setup.pull(registry)
    expect(outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    expect(registry.calls.length).toBeLessThan(10)
  })

  it("N2: of Ollama's kind gets a signed request, which serves once and there only", async () => {
    const key = join(setup.directory, 'id_ed25519')
    const { publicKey } = (await identityKey(key, { mayCreate: true }))!
    const seen = new Set<string>()
    const signed: { authorization: string | undefined; address: URL }[] = []
    const isKnown = ({ request }: Call, registry: ScriptedRegistry) => {
      const address = new URL(request.url ?? '', registry.url)
      signed.push({ authorization: request.headers.authorization, address })
      return isSigned(request.headers.authorization, address, seen)
    }
    await using registry = await tokenRegistry(isKnown)
    await setup.expectStored((await setup.pull(registry)).outcome, manifest)
    const { authorization, address } = signed.at(-1)!
    expect(authorization?.startsWith(`${publicKey}:`)).toBe(true)
    expect(isSigned(authorization, address, seen)).toBe(false)
    expect(isSigned(authorization, address)).toBe(true)
    const elsewhere = new URL(address)
    elsewhere.hostname = 'other.host'
    expect(isSigned(authorization, elsewhere)).toBe(false)
  })

  it('gets no signature where there is no key, and none is made for a stranger', async () => {
    await using registry = await tokenRegistry(() => false)
    expect((await setup.pull(registry)).outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    expect(existsSync(join(setup.directory, 'id_ed25519'))).toBe(false)
  })

  it('in another case of letters is the same host', async () => {
    await using registry = await tokenRegistry(({ request }) => request.headers.authorization === basic('me:canary'), {
      realm: (host) => `HTTP://${host.replace('127', '0x7F')}/token`,
    })
    setup.logIn(registry.host)
    await setup.expectStored((await setup.pull(registry)).outcome, manifest)
  })

  it.each([
    ['on another port', (_: string, other: string) => `http://${other}/token`],
    ['with another scheme', (host: string) => `https://${host}/token`],
    ['behind a user', (host: string, other: string) => `http://${host}@${other}/token`],
    ['with a user of its own', (host: string) => `http://user:pw@${host}/token`],
    ['without a scheme', (_: string, other: string) => `//${other}/token`],
    ['with backslashes', (_: string, other: string) => `http:\\\\${other}\\token`],
    ['on this machine by name', (_: string, other: string) => `http://localhost:${other.split(':')[1] ?? ''}/token`],
    ['on the link', () => 'http://169.254.169.254/token'],
    ['that is none', () => ''],
  ])('N1, N5: at a realm %s gets nothing, and nobody is asked', async (_, realm) => {
    let connections = 0
    const other = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const otherHost = `127.0.0.1:${(other.address() as { port: number }).port}`
    await using registry = await tokenRegistry(() => true, { realm: (host) => realm(host, otherHost) })
    setup.logIn(registry.host)
    const { outcome } = await setup.pull(registry)
    other.close()
    expect(outcome).toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringMatching(/realm host .* does not match original host/) as string,
    })
    expect(connections).toBe(0)
    expect(registry.calls.filter(({ path }) => path === '/token')).toEqual([])
  })

  it('in a way that cannot be answered is left at once', async () => {
    let gone: Promise<unknown> | undefined
    await using registry = await serveRegistry({
      behave: ({ response }) => {
        gone = once(response, 'close')
        response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.2/token"' }).write('no')
      },
    })
    const retry = { attempts: 1, idleMs: 60_000 }
    expect((await setup.pull(registry, { retry })).outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    expect(gone).toBeDefined()
    await gone
  })

  it('N3: whose token server redirects, sends no credentials along', async () => {
    await using elsewhere = await serveFiles({ '/token': Buffer.from('{"token":"token-0"}') })
    await using registry = await serveRegistry({
      behave: (call) => {
        const { response, request, path } = call
        const realm = `Bearer realm="http://${request.headers.host}/token"`
        if (path === '/token') response.writeHead(302, { location: new URL('/token', elsewhere.url).href }).end()
        else if (request.headers.authorization === 'Bearer token-0') call.honest()
        else response.writeHead(401, { 'www-authenticate': realm }).end()
      },
    })
    setup.logIn(registry.host)
    await setup.expectStored((await setup.pull(registry)).outcome, manifest)
    expect(elsewhere.asked.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })

  it.each([
    ['S9: that never ends', ' '.repeat(65_537)],
    ['that is none', '{"token":5}'],
    ['with a line feed', '{"token":"a\\nb: c"}'],
    ['that is no JSON', 'token'],
  ])('and gives a token %s is refused', async (_, text) => {
    await using registry = await serveRegistry({
      behave: ({ response, request, path }) => {
        const headers = { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }
        if (path === '/token') response.writeHead(200).end(text)
        else response.writeHead(401, headers).end()
      },
    })
    expect((await setup.pull(registry)).outcome).toMatchObject({
      code: 'ERR_REGISTRY',
      details: { reason: 'protocol' },
    })
  })
})

describe('parseChallenges', () => {
  it.each([
    ['Basic realm="a b"', [['basic', { realm: 'a b' }]]],
    [
      'Bearer realm="https://x/t",service="s",scope="a:b:c,d e"',
      [['bearer', { realm: 'https://x/t', service: 's', scope: 'a:b:c,d e' }]],
    ],
    [
      'basic, BEARER Realm = x , a="\\"q\\""',
      [
        ['basic', {}],
        ['bearer', { realm: 'x', a: '"q"' }],
      ],
    ],
    ['Bearer realm="a", realm="b"', [['bearer', { realm: 'a' }]]],
    ['Bearer realm="a', [['bearer', {}]]],
    ['', []],
    ['="x"', []],
  ])('reads %s', (header, expected) => {
    const found = parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])
    expect(found.map(([scheme]) => scheme).slice(0, expected.length)).toEqual(expected.map(([scheme]) => scheme))
    expect(found[0]?.[1] ?? {}).toMatchObject(expected[0]?.[1] ?? {})
    if (header.startsWith('basic,')) expect(found).toEqual(expected)
  })

  it('is quick with a hostile header', () => {
    const start = performance.now()
    parseChallenges(`Bearer ${'a="\\'.repeat(10_000)}`)
    parseChallenges('a,'.repeat(100_000))
    expect(performance.now() - start).toBeLessThan(1_000)
  })
})

describe("Docker's credentials", () => {
  const read = async (document: unknown, host = 'host:5000') => {
    const text = typeof document === 'string' ? document : JSON.stringify(document)
    writeFileSync(join(setup.directory, 'config.json'), text)
    return dockerCredentials(setup.directory, host)
  }
  const auth = Buffer.from('me:se:cret').toString('base64')
  const me = { username: 'me', password: 'se:cret' }

  it.each([
    ['by host', { auths: { 'host:5000': { auth } } }, me],
    ['by address', { auths: { 'https://HOST:5000/v1/': { auth } } }, me],
    ['in two fields', { auths: { 'host:5000': { username: 'me', password: 'se:cret' } } }, me],
    ['of another port', { auths: { host: { auth }, 'host:5001': { auth } } }, undefined],
    ['of a longer host', { auths: { 'host:5000.evil': { auth }, 'xhost:5000': { auth } } }, undefined],
    ['without a name', { auths: { 'host:5000': { auth: Buffer.from(':x').toString('base64') } } }, undefined],
    ['that are none', { auths: { 'host:5000': {} } }, undefined],
    [
      'that are a refresh token, beside an empty password',
      { auths: { 'host:5000': { auth: Buffer.from('me:').toString('base64'), identitytoken: 'r' } } },
      { refreshToken: 'r' },
    ],
    ['of nobody', {}, undefined],
  ])('are found %s', async (_, document, expected) => expect(await read(document)).toEqual(expected))

  it('are none without the file', async () =>
    expect(await dockerCredentials(join(setup.directory, 'nowhere'), 'host')).toBeUndefined())

  it.each([['{'], ['5'], [{ credsStore: '../../bin/sh' }], [{ credsStore: 'no-such-helper-of-llamero' }]])(
    'cannot be read from %j, and the text is not shown',
    async (document) => {
      await expect(read(document)).rejects.toMatchObject({ code: 'ERR_REGISTRY' })
    },
  )

  it('come from a helper program', async () => {
    const path = process.env['PATH'] ?? ''
    const helper = join(setup.directory, 'docker-credential-llamero')
    writeFileSync(helper, '#!/bin/sh\nread host\necho "{\\"Username\\":\\"$host\\",\\"Secret\\":\\"$1\\"}"\n')
    chmodSync(helper, 0o755)
    process.env['PATH'] = `${setup.directory}:${path}`
    try {
      const expected = { username: 'host:5000', password: 'get' }
      expect(await read({ credsStore: 'llamero' })).toEqual(expected)
      expect(await read({ credHelpers: { 'host:5000': 'llamero' } })).toEqual(expected)
      expect(await read({ credHelpers: { other: 'llamero' }, auths: { 'host:5000': { auth } } })).toEqual(me)
    } finally {
      process.env['PATH'] = path
    }
  })
})

describe("Ollama's key", () => {
  const path = () => join(setup.directory, 'home', '.ollama', 'id_ed25519')

  it('N2: is made once, for its owner alone', async () => {
    expect(await identityKey(path(), { mayCreate: false })).toBeUndefined()
    const keys = await Promise.all([1, 2, 3].map(() => identityKey(path(), { mayCreate: true })))
    expect(new Set(keys.map((key) => key?.publicKey)).size).toBe(1)
    expect(statSync(path()).mode & 0o777).toBe(0o600)
    expect(readFileSync(`${path()}.pub`, 'utf8')).toContain(`ssh-ed25519 ${keys[0]?.publicKey ?? ''} `)
  })

  it('is put in place whole: one that cannot be written leaves nothing behind', async () => {
    const handle = await open(join(setup.directory, 'any'), 'w')
    await handle.close()
    const full = Object.assign(new Error('no room'), { code: 'ENOSPC' })
    const write = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'writeFile').mockRejectedValue(full)
    try {
      await expect(identityKey(path(), { mayCreate: true })).rejects.toMatchObject({ code: 'ERR_STORE', cause: full })
    } finally {
      write.mockRestore()
    }
    expect(readdirSync(dirname(path()))).toEqual([])
    expect(await identityKey(path(), { mayCreate: true })).toBeDefined()
    expect(readdirSync(dirname(path())).sort()).toEqual(['id_ed25519', 'id_ed25519.pub'])
  })

  it('serves without its public half', async () => {
    mkdirSync(`${path()}.pub`, { recursive: true })
    const key = await identityKey(path(), { mayCreate: true })
    expect((await identityKey(path(), { mayCreate: false }))?.publicKey).toBe(key?.publicKey)
  })

  it.each(['', '-----BEGIN OPENSSH', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r'])(
    'that a crash cut off to %j is to be removed',
    async (text) => {
      mkdirSync(dirname(path()), { recursive: true })
      writeFileSync(path(), text)
      await expect(identityKey(path(), { mayCreate: true })).rejects.toMatchObject({
        code: 'ERR_STORE',
        message: expect.stringMatching(/cut off.*Remove the file/) as string,
      })
    },
  )

  const hasSshKeygen = (() => {
    try {
      execFileSync('sh', ['-c', 'command -v ssh-keygen'])
      return true
    } catch {
      return false
    }
  })()
  it.skipIf(!hasSshKeygen)(`is one that OpenSSH knows${hasSshKeygen ? '' : ': no ssh-keygen here'}`, async () => {
    const key = await identityKey(path(), { mayCreate: true })
    expect(execFileSync('ssh-keygen', ['-y', '-f', path()]).toString()).toContain(key?.publicKey)
    const other = join(setup.directory, 'other')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other])
    const publicKey = readFileSync(`${other}.pub`, 'utf8').split(' ')[1]
    expect((await identityKey(other, { mayCreate: false }))?.publicKey).toBe(publicKey)
  })

  it.each(['', 'text', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n'])(
    'is refused where it is %j',
    async (text) => {
      const file = join(setup.directory, 'bad')
      writeFileSync(file, text)
      await expect(identityKey(file, { mayCreate: true })).rejects.toMatchObject({ code: 'ERR_STORE' })
      expect(readFileSync(file, 'utf8')).toBe(text)
    },
  )
})
