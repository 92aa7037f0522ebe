import { existsSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf, Store } from '../../lib/store/index.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const bytes = Buffer.alloc(300_000, 'some bytes of a blob; ')
const digest = digestOf(bytes)
const other = digestOf('other bytes')
const temporary = temporaryDirectory()
let store: Store
let count = 0

beforeEach(() => {
  store = new Store({ directory: join(temporary.path, `store-${(count += 1)}`) })
})

function* chunks(of: Uint8Array, size = 70_000): Generator<Uint8Array> {
  for (let at = 0; at < of.length; at += size) yield of.subarray(at, at + size)
}
async function* failing(error: Error): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes.subarray(0, 100))
  throw error
}
const left = () => ['blobs', 'ingest'].flatMap((folder) => readdirSync(join(store.directory, folder)))

describe('ingest', () => {
  it('stores bytes under their digest', async () => {
    expect(await store.blobs.ingest(chunks(bytes), { digest, sizeBytes: bytes.length })).toEqual({
      digest,
      sizeBytes: bytes.length,
    })
    expect(readFileSync(store.blobs.path(digest))).toEqual(bytes)
    expect(left()).toEqual([`sha256-${digest.slice(7)}`])
  })

  it('reports the bytes written', async () => {
    const seen: number[] = []
    await store.blobs.ingest(chunks(bytes, 100_000), { onProgress: (size) => seen.push(size) })
    expect(seen).toEqual([100_000, 200_000, 300_000])
  })

  it('heals a damaged blob of the same name', async () => {
    await store.blobs.ingest(chunks(bytes), { digest })
    writeFileSync(store.blobs.path(digest), 'poison')
    await store.blobs.ingest(chunks(bytes), { digest })
    expect(await store.blobs.verify(digest)).toBe(true)
  })

  it.each([
    ['S7: other bytes', chunks(Buffer.alloc(bytes.length)), { digest, sizeBytes: bytes.length }, 'ERR_DIGEST'],
    ['S8: a byte less', chunks(bytes.subarray(1)), { digest, sizeBytes: bytes.length }, 'ERR_DIGEST'],
    [
      'S8: a byte more',
      chunks(Buffer.concat([bytes, Buffer.of(0)])),
      { digest, sizeBytes: bytes.length },
      'ERR_DIGEST',
    ],
    ['no bytes at all', [], { digest }, 'ERR_DIGEST'],
    [
      'a source that fails',
      failing(Object.assign(new Error('gone'), { code: 'ERR_SOURCE' })),
      { digest },
      'ERR_SOURCE',
    ],
    [
      'a check that says no',
      chunks(bytes),
      { check: () => Promise.reject(Object.assign(new Error(), { code: 'ERR_CHECK' })) },
      'ERR_CHECK',
    ],
    [
      'an abort before',
      chunks(bytes),
      { signal: AbortSignal.abort(Object.assign(new Error(), { code: 'ERR_ABORT' })) },
      'ERR_ABORT',
    ],
  ] as const)('keeps nothing of %s', async (_, source, options, code) => {
    await expect(store.blobs.ingest(source, options)).rejects.toMatchObject({ code })
    expect(left()).toEqual([])
  })

  it('S8: stops reading one byte behind the end', async () => {
    let read = 0
    const endless = (function* () {
      for (;;) {
        read += 1
        yield bytes.subarray(0, 1000)
      }
    })()
    await expect(store.blobs.ingest(endless, { digest, sizeBytes: 5000 })).rejects.toMatchObject({ code: 'ERR_DIGEST' })
    expect(read).toBe(6)
  })

  it('S7: shows the final name only with the right bytes', async () => {
    await store.blobs.ingest(['x'].map((text) => Buffer.from(text)))
    const seen = new Set<string>()
    const watcher = watch(join(store.directory, 'blobs'), (_, name) => seen.add(String(name)))
    await expect(store.blobs.ingest(chunks(bytes), { digest: other })).rejects.toMatchObject({ code: 'ERR_DIGEST' })
    await store.blobs.ingest(chunks(bytes), { digest })
    await new Promise((resolve) => setTimeout(resolve, 100))
    watcher.close()
    expect([...seen]).toEqual([`sha256-${digest.slice(7)}`])
  })

  it('lets many write the same blob at once', async () => {
    await Promise.all(Array.from({ length: 8 }, () => store.blobs.ingest(chunks(bytes, 1000), { digest })))
    expect(left()).toEqual([`sha256-${digest.slice(7)}`])
    expect(await store.blobs.verify(digest)).toBe(true)
  })
})

describe('has and verify', () => {
  it('know that a blob is not there', async () => {
    expect(await store.blobs.has(digest)).toBe(false)
    expect(await store.blobs.verify(digest)).toBe(false)
  })
  it('take no folder for a blob', async () => {
    await store.blobs.ingest([bytes])
    rmSync(store.blobs.path(digest))
    expect(await store.blobs.has(digest)).toBe(false)
  })
})

describe('partial files', () => {
  const part = { index: 0, source: other, range: { start: 5, length: 10 } }

  it('keep what they were given for whoever comes next', async () => {
    const first = await store.partials.open(digest, part, 10)
    await first.append(Buffer.from('hello'))
    await first.close()
    const second = await store.partials.open(digest, part, 10)
    expect(second.sizeBytes).toBe(5)
    await second.append(Buffer.from('world'))
    await second.close()
    expect(readFileSync(store.partials.path(digest, part), 'utf8')).toBe('helloworld')
    expect(await store.partials.totalBytes(digest)).toBe(10)
    expect(await store.partials.totalBytes(other)).toBe(0)
  })

  it('start over when they are longer than they may be', async () => {
    const first = await store.partials.open(digest, part, 100)
    await first.append(Buffer.alloc(50))
    await first.close()
    const second = await store.partials.open(digest, part, 10)
    expect(second.sizeBytes).toBe(0)
    await second.close()
  })

  it('are removed together', async () => {
    for (const index of [0, 1]) await (await store.partials.open(digest, { ...part, index }, 10)).close()
    await store.partials.removeAll(digest)
    expect(existsSync(store.partials.path(digest, part))).toBe(false)
  })
})
