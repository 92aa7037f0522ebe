import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import { locate, pull, type PullOptions } from '../../lib/transfer/index.js'
import { serveFiles, type Asked, type FileServer } from './file-server.js'
import { digest, model, noRanges, retry, tinyPackages } from './tiny-package.js'

const tiny = tinyPackages()
const pin = `#sha256=${digest.slice(7)}`
const page = Buffer.from('<html>Log in to see this model</html>')
const damaged = Buffer.concat([model.subarray(0, 1000), Buffer.alloc(1000)])
const files = { '/m.gguf': model, '/page.gguf': page, '/bad.gguf': damaged }

const tagged = (etag: string) => (asked: Asked) => {
  asked.response.setHeader('etag', etag)
  asked.honest()
}
/** Ends the first answer of more than a few bytes early, and refuses what comes after it. */
const breakAt = (bytes: number) => {
  let isBroken = false
  return (asked: Asked) => {
    const { response, file, start, end } = asked
    if (end - start < 100) asked.honest()
    else if (isBroken) response.writeHead(404).end()
    else {
      isBroken = true
      response.writeHead(206, {
        'content-length': end - start,
        'content-range': `bytes ${start}-${end - 1}/${file.length}`,
      })
      response.write(file.subarray(start, start + bytes), () => setTimeout(() => response.socket?.end(), 100))
    }
  }
}

async function pullAt(server: FileServer, path: string, options: PullOptions = {}) {
  const reference = new URL(path, server.url).href
  const outcome = await pull(tiny.store, reference, { retry, ...options }).result.catch(
    (error: unknown) => error as LlameroError,
  )
  if (outcome instanceof LlameroError) expect(outcome.message).not.toContain('secret')
  return { outcome, reference }
}

/** Pulls from a server that is there for this pull alone. */
async function pullFrom(path: string, behave?: (asked: Asked) => void, options: PullOptions = {}) {
  await using server = await serveFiles(files, behave)
  return { ...(await pullAt(server, path, options)), asked: server.asked, sent: server.sentBytes }
}

const expectNoParts = () => {
  const folder = join(tiny.store.directory, 'ingest')
  expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([])
}

describe('an address', () => {
  it.each<[string, string, ((asked: Asked) => void) | undefined, PullOptions?]>([
    ['as it is', '/m.gguf?token=secret', undefined],
    ['with the digest of the file', `/m.gguf${pin}`, undefined],
    ['whose server knows no ranges', '/m.gguf', noRanges],
    ['whose file is fetched in parts', '/m.gguf', tagged('"1"'), { partBytes: Math.ceil(model.length / 5) }],
    ['with a digest, in parts', `/m.gguf${pin}`, undefined, { partBytes: Math.ceil(model.length / 5) }],
    [
      'that is busy at first',
      '/m.gguf',
      (asked) => {
        if (asked.turn > 0) asked.honest()
        else asked.response.writeHead(429, { 'retry-after': '0' }).end()
      },
    ],
  ])('gives its model: %s', async (_, path, behave, options) => {
    const { outcome, reference } = await pullFrom(path, behave, options)
    expect(outcome).toMatchObject({ modelDigest: digest })
    if (outcome instanceof LlameroError) throw outcome
    expect(outcome.annotations['llamero.source']).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/m\.gguf$/)
    expect((await locate(tiny.store, reference)).path).toBe(outcome.modelPath)
    await tiny.expectStored(reference)
  })

  it('is followed to another host', async () => {
    await using elsewhere = await serveFiles(files)
    const location = `http://localhost:${elsewhere.url.port}/m.gguf`
    const { outcome } = await pullFrom('/go.gguf', ({ response }) => response.writeHead(302, { location }).end())
    expect(outcome).toMatchObject({ modelDigest: digest })
  })

  it('whose digest is known here is not asked', async () => {
    await using server = await serveFiles(files)
    await pullAt(server, '/m.gguf')
    const before = server.asked.length
    expect((await pullAt(server, `/m.gguf${pin}`)).outcome).toMatchObject({ modelDigest: digest })
    expect(server.asked.length).toBe(before)
  })

  it('whose file is the same by its tag is not transferred again, a new one is', async () => {
    let etag = '"1"'
    await using server = await serveFiles(files, (asked) => {
      tagged(etag)(asked)
    })
    await pullAt(server, '/m.gguf')
    const once = server.sentBytes
    await pullAt(server, '/m.gguf')
    expect(server.sentBytes - once).toBeLessThan(100)
    etag = '"2"'
    await pullAt(server, '/m.gguf')
    expect(server.sentBytes - once).toBeGreaterThan(model.length)
  })
})

describe('an interruption', () => {
  it.each([
    ['of a file with a tag is gone on with', '/m.gguf', '"1"', true],
    ['of a pinned file is gone on with', `/m.gguf${pin}`, '', true],
    ['of a file that nothing tells from another begins anew', '/m.gguf', '', false],
  ])('%s', async (_, path, etag, goesOn) => {
    let behave: (asked: Asked) => void = breakAt(200_000)
    await using server = await serveFiles(files, (asked) => {
      if (etag !== '') asked.response.setHeader('etag', etag)
      behave(asked)
    })
    expect((await pullAt(server, path)).outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    behave = (asked) => {
      asked.honest()
    }
    const before = server.sentBytes
    const { outcome, reference } = await pullAt(server, path)
    expect(outcome).toMatchObject({ modelDigest: digest })
    expect(server.sentBytes - before < model.length).toBe(goesOn)
    await tiny.expectStored(reference)
  })

  it('after which the file is another one does not mix the two', async () => {
    const other = Buffer.from(model)
    other.fill(1, model.length - 50_000)
    let isOther = false
    await using server = await serveFiles({ '/m.gguf': model }, (asked) => {
      const turned = isOther ? '"2"' : '"1"'
      asked.response.setHeader('etag', turned)
      const { response, file, start, end } = asked
      if (end - start < 100) asked.honest()
      else {
        response.writeHead(206, {
          'content-length': end - start,
          'content-range': `bytes ${start}-${end - 1}/${file.length}`,
        })
        const bytes = isOther ? other : file
        const broken = bytes.subarray(start, isOther ? end : start + 200_000)
        response.write(broken, () => setTimeout(() => ((isOther = true), response.socket?.end()), 100))
      }
    })
    expect((await pullAt(server, '/m.gguf')).outcome).toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringMatching(/replaced during the download/) as string,
    })
  })
})

describe('is refused:', () => {
  it.each<[string, string, string, RegExp, ((asked: Asked) => void)?]>([
    ['S7: a file with another digest', `/m.gguf#sha256=${'0'.repeat(64)}`, 'ERR_DIGEST', /digest mismatch/],
    ['a page', '/page.gguf', 'ERR_MODEL_INVALID', /perhaps a page/],
    ['a page, pinned', `/page.gguf#sha256=${'0'.repeat(64)}`, 'ERR_MODEL_INVALID', /perhaps a page/],
    ['a damaged model', '/bad.gguf', 'ERR_MODEL_INVALID', /./],
    ['a file that is not there', '/n.gguf?token=secret', 'ERR_MODEL_NOT_FOUND', /\/n\.gguf/, notFound],
    ['an empty file', '/empty.gguf', 'ERR_REGISTRY', /./, ({ response }) => response.writeHead(416).end()],
    [
      'a server that demands credentials',
      '/m.gguf',
      'ERR_REGISTRY',
      /401/,
      ({ response }) => response.writeHead(401).end(),
    ],
    [
      'a file of unknown length',
      '/m.gguf',
      'ERR_REGISTRY',
      /how long/,
      ({ response }) => response.writeHead(200, { 'transfer-encoding': 'chunked' }).end('GGUF'),
    ],
    ['a part of a model', '/m-00002-of-00003.gguf', 'ERR_UNSUPPORTED', /"m-00001-of-00003.gguf".*llamero create/],
  ])('%s', async (_, path, code, message, behave) => {
    const { outcome } = await pullFrom(path, behave)
    expect(outcome).toMatchObject({ code, message: expect.stringMatching(message) as string })
    await tiny.expectNothing()
    if (code === 'ERR_MODEL_INVALID') expectNoParts()
  })

  function notFound({ response }: Asked) {
    response.writeHead(404).end()
  }

  it('plain http to another machine, unless it is allowed', async () => {
    const reach = (options: PullOptions) => pull(tiny.store, 'http://host.invalid/m.gguf', { retry, ...options }).result
    await expect(reach({})).rejects.toMatchObject({ message: expect.stringMatching(/--insecure/) as string })
    await expect(reach({ insecure: true })).rejects.toMatchObject({ details: { reason: 'unreachable' } })
  })
})
