import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf, Store } from '../../lib/store/index.js'
import { download, type DownloadOptions } from '../../lib/transfer/download.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { serveFiles, type Asked } from './file-server.js'

const file = Buffer.from(Array.from({ length: 500_000 }, (_, index) => (index * 7 + (index >> 8)) & 255))
const temporary = temporaryDirectory()
const target = digestOf('target')
let count = 0

const whole = { start: 0, length: file.length }
const middle = { start: 100_000, length: 200_000 }
const retry = { pauseMs: 1, idleMs: 20_000 }
const impatient = { retry: { pauseMs: 1, idleMs: 300 } }

interface Case {
  readonly behave?: (asked: Asked) => void
  readonly range?: { start: number; length: number }
  readonly isOpen?: boolean
  readonly kept?: Buffer
  readonly options?: Partial<DownloadOptions>
}

async function fetchWith({ behave, range = whole, isOpen = false, kept, options }: Case) {
  const store = new Store({ directory: join(temporary.path, `store-${(count += 1)}`) })
  const part = { index: 0, source: target }
  const partial = await store.partials.open(target, part, 1e9)
  if (kept) await partial.append(kept)
  await using server = await serveFiles({ '/file': file }, behave)
  const progress: number[] = []
  const outcome = await download(new URL('/file', server.url), partial, {
    settings: {},
    start: range.start,
    ...(!isOpen && { length: range.length }),
    maxBytes: 1_000_000,
    retry,
    onProgress: (bytes) => progress.push(bytes),
    ...options,
  }).catch((error: unknown) => error as Error)
  await partial.close()
  const bytes = readFileSync(store.partials.path(target, part))
  const isRight = bytes.equals(file.subarray(range.start, range.start + range.length))
  return { outcome, isRight, bytes, asked: server.asked.map((asked) => asked.range), sent: server.sentBytes, progress }
}

const cut = (asked: Asked, bytes: number) => {
  const { response, start, end, file: content } = asked
  response.writeHead(206, {
    'content-length': end - start,
    'content-range': `bytes ${start}-${end - 1}/${content.length}`,
  })
  response.write(content.subarray(start, start + bytes), () => response.socket?.end())
}
const lie =
  (headers: Record<string, string | number>, status = 206) =>
  (asked: Asked) => {
    asked.response.writeHead(status, headers)
    asked.response.end(asked.file.subarray(asked.start, asked.end))
  }
const ignoreRanges = ({ response, file: content }: Asked) => {
  response.writeHead(200, { 'content-length': content.length }).end(content)
}
const once = (first: (asked: Asked) => void) => (asked: Asked) => {
  if (asked.turn === 0) first(asked)
  else asked.honest()
}
const endless = ({ response }: Asked) => {
  const send = () => {
    if (!response.destroyed) response.write(Buffer.alloc(65_536, 1), () => setImmediate(send))
  }
  response.writeHead(200)
  send()
}

describe('a download', () => {
  const cases: [string, Case, { requests: number }][] = [
    ['of a whole file', {}, { requests: 1 }],
    ['of a range', { range: middle }, { requests: 1 }],
    ['of a file whose size is not known before', { isOpen: true }, { requests: 1 }],
    ['behind what was kept', { kept: file.subarray(0, 123_456) }, { requests: 1 }],
    ['of which everything was kept', { kept: file }, { requests: 0 }],
    ['of unknown size of which everything was kept', { kept: file, isOpen: true }, { requests: 1 }],
    ['from a server that knows no ranges', { behave: ignoreRanges }, { requests: 1 }],
    ['of a range from a server that knows no ranges', { behave: ignoreRanges, range: middle }, { requests: 1 }],
    [
      'behind what was kept, from a server that knows no ranges',
      { behave: ignoreRanges, kept: file.subarray(0, 99_999) },
      { requests: 1 },
    ],
    [
      'that is reset in the middle',
      {
        behave: once((asked) => {
          cut(asked, 100_000)
        }),
      },
      { requests: 2 },
    ],
    [
      'that is reset before its first byte',
      {
        behave: once(({ request }) => {
          request.socket.destroy()
        }),
      },
      { requests: 2 },
    ],
    [
      'that is reset again and again, but gets on',
      {
        behave: (asked) => {
          if (asked.turn < 6) cut(asked, 70_000)
          else asked.honest()
        },
      },
      { requests: 7 },
    ],
    [
      'that falls silent',
      {
        options: impatient,
        behave: once(({ response, start, end, file: content }) => {
          response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${content.length}` })
          response.write(content.subarray(0, 80_000))
        }),
      },
      { requests: 2 },
    ],
    [
      'answered by 503 and 429 at first',
      {
        behave: (asked) => {
          if (asked.turn < 2) asked.response.writeHead(asked.turn === 0 ? 503 : 429).end()
          else asked.honest()
        },
      },
      { requests: 3 },
    ],
    [
      'S8: without a length',
      {
        behave: ({ response, file: content }) => {
          response.writeHead(200)
          response.end(content)
        },
      },
      { requests: 1 },
    ],
    [
      'S8: with more bytes than asked for',
      {
        range: middle,
        behave: ({ response, start, file: content }) => {
          response
            .writeHead(206, { 'content-range': `bytes ${start}-${start + 199_999}/${content.length}` })
            .end(content.subarray(start))
        },
      },
      { requests: 1 },
    ],
  ]
  it.each(cases)('%s brings the right bytes', async (_, what, { requests }) => {
    const { outcome, isRight, asked } = await fetchWith(what)
    expect(outcome).toBeUndefined()
    expect(isRight).toBe(true)
    expect(asked).toHaveLength(requests)
  })

  it('transfers only what is missing', async () => {
    const { sent, asked } = await fetchWith({ kept: file.subarray(0, 400_000) })
    expect(asked).toEqual(['bytes=400000-499999'])
    expect(sent).toBe(100_000)
  })

  const bad: [string, Case, string][] = [
    ['S8: 206 without Content-Range', { behave: lie({}) }, 'protocol'],
    [
      'S8: 206 of another range',
      { behave: lie({ 'content-range': `bytes 1-${file.length - 1}/${file.length}` }) },
      'protocol',
    ],
    [
      'S8: 206 behind the file',
      { behave: lie({ 'content-range': `bytes 0-${file.length}/${file.length}` }) },
      'protocol',
    ],
    ['S8: 206 backwards', { behave: lie({ 'content-range': `bytes 0--5/${file.length}` }) }, 'protocol'],
    ['S8: 206 with absurd numbers', { behave: lie({ 'content-range': 'bytes 0-1e300/1e301' }) }, 'protocol'],
    ['S8: a file that ends before the range', { range: { start: file.length, length: 5 } }, 'protocol'],
    ['S8: an endless body', { behave: endless, isOpen: true }, 'protocol'],
    ['S8: a length beyond the limit', { behave: lie({ 'content-length': 2_000_000 }, 200), isOpen: true }, 'protocol'],
    [
      'S8: always a byte too few',
      {
        behave: lie({ 'content-range': `bytes 0-${file.length - 1}/${file.length}`, 'content-length': file.length }),
        range: { start: 0, length: file.length + 1 },
      },
      'protocol',
    ],
    ['S9: a gzip body', { behave: lie({ 'content-encoding': 'gzip' }, 200) }, 'protocol'],
    ['404', { behave: lie({}, 404) }, 'status'],
    ['503 for ever', { behave: lie({}, 503) }, 'status'],
    ['401', { behave: lie({}, 401) }, 'refused'],
    ['a redirect to a file', { behave: lie({ location: 'file:///etc/passwd' }, 302) }, 'protocol'],
    ['redirects in a circle', { behave: lie({ location: '/file' }, 307) }, 'protocol'],
    [
      'garbage instead of HTTP',
      {
        behave: ({ request }) => {
          request.socket.end('hello there\r\n\r\n')
        },
      },
      'protocol',
    ],
    [
      'one byte at a time before each reset',
      {
        behave: (asked) => {
          cut(asked, 1)
        },
      },
      'broken',
    ],
    ['silence', { behave: () => {}, options: impatient }, 'broken'],
  ]
  it.each(bad)('ends in an error at %s', async (_, what, reason) => {
    const { outcome, bytes } = await fetchWith(what)
    expect(outcome).toMatchObject({ code: 'ERR_REGISTRY', details: { reason } })
    expect((outcome as Error).message).not.toMatch(/127\.0\.0\.1|http:|\/file/)
    expect(bytes.length).toBeLessThanOrEqual(1_000_000)
  })

  it('of a server that is not there says so after a few tries', async () => {
    const { url } = await (async () => {
      await using server = await serveFiles({})
      return server
    })()
    const store = new Store({ directory: join(temporary.path, 'nobody') })
    const partial = await store.partials.open(target, { index: 0, source: target }, 10)
    await expect(download(url, partial, { settings: {}, maxBytes: 10, retry })).rejects.toMatchObject({
      code: 'ERR_REGISTRY',
      details: { reason: 'unreachable', systemCode: 'ECONNREFUSED' },
    })
    await partial.close()
  })

  it.each(['while bytes come', 'while nothing comes', 'between two tries'])(
    'stops at once when it is aborted %s',
    async (when) => {
      const abort = new AbortController()
      const reason = new Error('stop')
      const behave = (asked: Asked) => {
        setTimeout(() => {
          abort.abort(reason)
        }, 50)
        if (when === 'between two tries') asked.response.writeHead(503).end()
        else if (when === 'while bytes come') endless(asked)
      }
      const start = performance.now()
      const { outcome } = await fetchWith({
        behave,
        options: { signal: abort.signal, maxBytes: 1e12, retry: { pauseMs: 60_000 } },
        isOpen: when === 'while bytes come',
      })
      expect(outcome).toBe(reason)
      expect(performance.now() - start).toBeLessThan(20_000)
    },
  )

  it('reports what it has', async () => {
    const { progress } = await fetchWith({ kept: file.subarray(0, 1000) })
    expect(progress[0]).toBe(1000)
    expect(progress.at(-1)).toBe(file.length)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
  })
})

describe('credentials', () => {
  it('N3: follow no redirect to another origin', async () => {
    await using second = await serveFiles({ '/file': file })
    await using first = await serveFiles({}, ({ response }) =>
      response.writeHead(307, { location: new URL('/file', second.url).href }).end(),
    )
    const store = new Store({ directory: join(temporary.path, 'redirect') })
    const partial = await store.partials.open(target, { index: 0, source: target }, 1e9)
    const credentialsFor = (url: URL) => (url.origin === first.url.origin ? 'user:secret' : undefined)
    await download(new URL('/file', first.url), partial, { settings: { credentialsFor }, maxBytes: 1e9, retry })
    await partial.close()
    expect(first.asked[0]?.headers.authorization).toBe(`Basic ${Buffer.from('user:secret').toString('base64')}`)
    expect(second.asked[0]?.headers.authorization).toBeUndefined()
    expect(partial.sizeBytes).toBe(file.length)
  })
})
