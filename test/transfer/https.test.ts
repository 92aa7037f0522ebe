import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { connect, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requestRange } from '../../lib/transfer/byte-range.js'
import { credentialsFor, parsePipSettings, pipHttpSettings } from '../../lib/transfer/pip-settings.js'
import { proxyFromVariables } from '../../lib/transfer/http-proxy.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const temporary = temporaryDirectory()
const certificate = join(temporary.path, 'certificate.pem')
const key = join(temporary.path, 'key.pem')
const hasOpenssl = (() => {
  try {
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate, ...subject],
      { stdio: 'ignore' },
    )
    return true
  } catch {
    return false
  }
})()

const listening: Server[] = []
const listen = async (server: Server) => {
  listening.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
afterAll(() => {
  for (const server of listening) server.close()
})

describe.skipIf(!hasOpenssl)(
  `an https server with a certificate of its own${hasOpenssl ? '' : ': no openssl here'}`,
  () => {
    const tunnels: (string | undefined)[] = []
    let url: URL
    let proxyPort: number
    let httpPort: number

    beforeAll(async () => {
      const options = { key: readFileSync(key), cert: readFileSync(certificate) }
      const port = await listen(
        createHttps(options, (request, response) => {
          if (request.url === '/down') response.writeHead(302, { location: `http://127.0.0.1:${httpPort}/` }).end()
          else response.end('content')
        }),
      )
      url = new URL(`https://localhost:${port}/file`)
      httpPort = await listen(createHttp((_, response) => response.end('content')))
      const proxy = createHttp()
      proxy.on('connect', (request, socket) => {
        tunnels.push(request.headers['proxy-authorization'])
        const server = connect(port, '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n')
          server.pipe(socket).pipe(server)
        })
        socket.on('error', () => server.destroy())
        server.on('error', () => socket.destroy())
      })
      proxyPort = await listen(proxy)
    })

    const read = async (config: string, variables = {}, path = '/file') => {
      const settings = await pipHttpSettings(
        { run: () => Promise.resolve({ exitCode: 0, stdout: config, stderr: '' }) },
        variables,
      )
      const answer = await requestRange(new URL(path, url), { start: 0 }, { settings })
      let text = ''
      for await (const chunk of answer?.body ?? []) text += Buffer.from(chunk).toString()
      return text
    }

    it.each([
      ["of pip's configuration file", () => read(`global.cert='${certificate}'`)],
      ["of pip's environment", () => read(`:env:.cert='${certificate}'`)],
      ['in a folder', () => read(`global.cert='${temporary.path}'`)],
      ['of REQUESTS_CA_BUNDLE', () => read('', { REQUESTS_CA_BUNDLE: certificate })],
      ['of CURL_CA_BUNDLE', () => read('', { CURL_CA_BUNDLE: certificate })],
    ])('is believed by the certificates %s', async (_, work) => {
      expect(await work()).toBe('content')
    })

    it('is refused without them, and the message says what to do', async () => {
      await expect(read('')).rejects.toMatchObject({
        code: 'ERR_REGISTRY',
        details: { reason: 'refused' },
        message: expect.stringMatching(/pip config set global\.cert/) as string,
      })
    })

    it.each([
      [
        "of pip's configuration",
        () => read(`global.cert='${certificate}'\nglobal.proxy='http://me:secret@127.0.0.1:${proxyPort}'`),
      ],
      [
        'of HTTPS_PROXY',
        () => read(`global.cert='${certificate}'`, { HTTPS_PROXY: `http://me:secret@127.0.0.1:${proxyPort}` }),
      ],
      ['of all_proxy', () => read(`global.cert='${certificate}'`, { all_proxy: `me:secret@127.0.0.1:${proxyPort}` })],
    ])('is reached through the proxy %s', async (_, work) => {
      tunnels.length = 0
      expect(await work()).toBe('content')
      expect(tunnels).toEqual([`Basic ${Buffer.from('me:secret').toString('base64')}`])
    })

    it('is not reached through a proxy that is not there', async () => {
      await expect(read(`global.proxy='http://127.0.0.1:9'`)).rejects.toMatchObject({
        details: { reason: 'unreachable' },
      })
    })

    it('N3: cannot redirect to plain http', async () => {
      await expect(read(`global.cert='${certificate}'`, {}, '/down')).rejects.toMatchObject({
        code: 'ERR_REGISTRY',
        details: { reason: 'protocol' },
      })
    })
  },
)

describe("pip's settings", () => {
  it('are read as pip prints them, the environment counting most', () => {
    const text = [
      "global.cert='/global.pem'",
      'global.proxy="http://it\'s"',
      "global.index-url='https://a:b@index/simple'",
      "install.cert='/install.pem'",
      "download.cert='/download.pem'",
      ":env:.cert='/a b\\\\c.pem'",
      'no line of ours',
      ":env:.extra-index-url='https://x\\nhttps://y'",
    ].join('\n')
    expect(Object.fromEntries(parsePipSettings(text))).toEqual({
      cert: '/a b\\c.pem',
      proxy: "http://it's",
      'index-url': 'https://a:b@index/simple',
      'extra-index-url': 'https://x\nhttps://y',
    })
  })

  it.each([
    ['https://host/x', 'me:se cret'],
    ['https://host:443/x', 'me:se cret'],
    ['http://host/x', undefined],
    ['https://host:444/x', undefined],
    ['https://host.evil/x', undefined],
    ['https://plain/x', undefined],
  ])('N1: give %s the credentials %s', (address, expected) => {
    expect(
      credentialsFor(new URL(address), ['', 'no address', 'https://plain/simple', 'https://me:se%20cret@host/simple']),
    ).toBe(expected)
  })
})

describe('proxies of the environment', () => {
  it.each([
    ['https://host/', { HTTPS_PROXY: 'http://p:1' }, 'http://p:1/'],
    ['https://host/', { https_proxy: 'p:1' }, 'http://p:1/'],
    ['http://host/', { HTTPS_PROXY: 'http://p:1' }, undefined],
    ['http://host/', { http_proxy: 'http://p:1' }, 'http://p:1/'],
    ['http://host/', { ALL_PROXY: 'https://p:1' }, 'https://p:1/'],
    ['https://host/', { ALL_PROXY: 'http://p:1', NO_PROXY: 'other, host' }, undefined],
    ['https://a.host/', { ALL_PROXY: 'http://p:1', NO_PROXY: '.host' }, undefined],
    ['https://a.host/', { ALL_PROXY: 'http://p:1', no_proxy: '*.host' }, undefined],
    ['https://ahost/', { ALL_PROXY: 'http://p:1', NO_PROXY: 'host' }, 'http://p:1/'],
    ['https://host:5/', { ALL_PROXY: 'http://p:1', NO_PROXY: 'host:5' }, undefined],
    ['https://host/', { ALL_PROXY: 'http://p:1', NO_PROXY: '*' }, undefined],
    ['https://host/', {}, undefined],
  ])('for %s and %j are %s', (address, variables, expected) => {
    expect(proxyFromVariables(new URL(address), variables)?.href).toBe(expected)
  })
})
