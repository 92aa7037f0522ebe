import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf, encodeManifest, mediaTypes, Store } from '../../lib/store/index.js'
import { exportModels, importModels, type TransferProgress } from '../../lib/transfer/index.js'
import { expectClean } from '../store/clean-store.js'
import { blobFiles, createModel, modelNames } from '../store/stored-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { config, layerOf, license, manifestOf, weights } from './scripted-registry.js'
import { blobMember, blobs, honestMembers, index, indexMember, manifestBytes, marker, tarFile } from './tar-members.js'

const temporary = temporaryDirectory()
let store: Store
let count = 0
beforeEach(() => {
  store = new Store({ directory: join(temporary.path, `store-${(count += 1)}`) })
})

const inPieces = (bytes: Buffer, size: number) =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)),
  )
const load = (bytes: Buffer, into = store) => importModels(into, inPieces(bytes, 65_536))
const left = (folder: string) =>
  existsSync(join(store.directory, folder)) ? readdirSync(join(store.directory, folder)) : []

async function expectWhole(): Promise<void> {
  expect(await modelNames(store)).toEqual(['ns/m:1'])
  expect(Buffer.from((await store.readManifest('ns/m:1')).bytes)).toEqual(manifestBytes)
  expect(blobFiles(store)).toEqual([weights, license, config].map((c) => digestOf(c).replace(':', '-')).sort())
  await expectClean(store)
  expect([...left('ingest'), ...left('claims')]).toEqual([])
}

describe('an archive is taken over', () => {
  const manifest = blobMember(manifestBytes)
  const folders = ['', 'blobs/', 'blobs/sha256/'].map((name) => ({ name: `./${name}`, type: '5' }))
  it.each([
    ['as save writes it', honestMembers],
    ['with the index and the manifest last', [...blobs, marker, manifest, index]],
    ['sorted by name, with folders, as tar and Docker pack it', [...folders, ...blobs, manifest, index, marker]],
    ['with the manifest first and the marker last', [manifest, index, ...blobs, marker]],
    ['with "./" before each name', honestMembers.map((member) => ({ ...member, name: `./${member.name}` }))],
    [
      'with files of Docker for older readers',
      [...honestMembers, { name: 'manifest.json', content: Buffer.from('[]') }],
    ],
    ['with a blob that nothing names', [...honestMembers, blobMember(Buffer.from('stray'))]],
    ['with a blob that nothing names, before the index', [blobMember(Buffer.from('stray')), ...honestMembers]],
  ])('%s', async (_, members) => {
    const [model, ...others] = await load(tarFile(members))
    expect(others).toEqual([])
    expect(model).toMatchObject({ displayName: 'ns/m:1', manifestDigest: digestOf(manifestBytes) })
    await expectWhole()
  })

  it.each([101, 511, 512, 4097, 1e9])('whatever the pieces that it comes in: %d bytes', async (size) => {
    await importModels(store, inPieces(tarFile(honestMembers), size))
    await expectWhole()
  })

  it('from a file, without end marks, and with much padding', async () => {
    const path = join(temporary.path, 'padded.tar')
    writeFileSync(path, tarFile(honestMembers, Buffer.alloc(1024 * 1024)))
    await importModels(store, path)
    await load(tarFile(honestMembers, Buffer.alloc(0)))
    await expectWhole()
  })

  it('with the whole name before the short one', async () => {
    const names = { 'io.containerd.image.name': 'example:5000/a/b:c', 'org.opencontainers.image.ref.name': 'c' }
    const named = indexMember([{ bytes: manifestBytes, entry: { annotations: names } }])
    await load(tarFile([marker, named, blobMember(manifestBytes), ...blobs]))
    expect(await modelNames(store)).toEqual(['example:5000/a/b:c'])
  })

  it('whose manifest is that of a plain GGUF artifact', async () => {
    const notes = Buffer.from('Notes.')
    const artifact = manifestOf({
      mediaType: mediaTypes.ociManifest,
      config: layerOf('application/vnd.docker.ai.model.config.v0.1+json', config),
      layers: [layerOf('application/vnd.docker.ai.gguf.v3', weights), layerOf('text/plain', notes)],
    })
    const bytes = Buffer.from(encodeManifest(artifact))
    const named = indexMember([{ bytes, entry: { mediaType: mediaTypes.ociManifest } }])
    const content = [bytes, weights, notes, config].map((one) => blobMember(one))
    const [model] = await load(tarFile([marker, named, ...content]))
    expect(model?.layers).toEqual([layerOf(mediaTypes.model, weights)])
    expect(blobFiles(store)).toHaveLength(2)
    await expectClean(store)
  })
})

describe('an import', () => {
  it('tells how it goes, and passes over what no manifest names', async () => {
    const news: TransferProgress[] = []
    for await (const one of load(tarFile([...honestMembers, blobMember(Buffer.from('stray'))]))) news.push(one)
    expect([...new Set(news.map(({ status }) => status))]).toEqual([
      'reading archive',
      ...[weights, license, config].map((content) => `loading ${digestOf(content).slice(7, 19)}`),
      'verifying sha256 digest',
      'writing manifest',
      'success',
    ])
    const last = news.findLast(({ digest }) => digest === digestOf(weights))
    expect(last).toMatchObject({ total: weights.length, completed: weights.length })
  })

  it('replaces what has the name, and removes layers that only the replaced model needed', async () => {
    const { layers } = await createModel(store, 'NS/m:1', 'An old license.')
    const news: TransferProgress[] = []
    for await (const one of load(tarFile(honestMembers))) news.push(one)
    expect(news.map(({ status }) => status)).toContain('removing unused layers')
    expect(await store.blobs.has(layers[1]?.digest ?? digestOf(''))).toBe(false)
    expect(await modelNames(store)).toEqual(['NS/m:1'])
    await expectClean(store)
  })

  it('writes no blob that is there, but heals one that is damaged', async () => {
    await load(tarFile(honestMembers))
    await store.remove('ns/m:1')
    await store.blobs.ingest([weights])
    await store.blobs.ingest([config])
    await store.blobs.release()
    writeFileSync(store.blobs.path(digestOf(config)), Buffer.alloc(config.length))
    await load(tarFile(honestMembers.filter(({ content }) => content !== weights)))
    await expectWhole()
  })

  it.each([
    ['at a blob', honestMembers.slice(0, 4)],
    ['before the index', [...blobs, blobMember(manifestBytes)]],
  ])('that fails %s leaves no model and no claim, and the next one goes on with what is there', async (_, members) => {
    await expect(load(tarFile(members))).rejects.toMatchObject({ code: 'ERR_ARCHIVE_INVALID' })
    expect((await store.list()).models).toEqual([])
    expect([...left('ingest'), ...left('claims')]).toEqual([])
    expect(await store.blobs.verify(digestOf(weights))).toBe(true)
    await load(tarFile(honestMembers))
    expect(await modelNames(store)).toEqual(['ns/m:1'])
    await store.prune({ minAgeMs: 0 })
    await expectWhole()
  })

  it('stops at a signal while the pipe is silent, and when its reader leaves', async () => {
    const stopping = new AbortController()
    const bytes = tarFile(honestMembers)
    async function* silent() {
      yield bytes.subarray(0, bytes.length - 5000)
      await new Promise(() => {})
    }
    const loading = importModels(store, silent(), { signal: stopping.signal })
    for await (const { completed } of loading) if (completed !== undefined) break
    await expect(loading).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    const again = importModels(store, silent(), { signal: stopping.signal })
    setTimeout(() => stopping.abort('enough'), 100)
    await expect(again).rejects.toBe('enough')
    expect((await store.list()).models).toEqual([])
    expect([...left('ingest'), ...left('claims')]).toEqual([])
    await expect(importModels(store, silent(), { signal: AbortSignal.abort('no') })).rejects.toBe('no')
  })

  it.each([
    ['as save writes it', honestMembers],
    ['with the index last', honestMembers.toReversed()],
  ])('of an archive %s loses nothing to prune', async (_, members) => {
    async function* pruned() {
      for await (const chunk of inPieces(tarFile(members), 65_536)) {
        yield chunk as Buffer
        await store.prune({ minAgeMs: 0 })
      }
    }
    await importModels(store, pruned())
    await expectWhole()
  })

  it.each([
    ['is done', tarFile(honestMembers)],
    ['fails at its first bytes', Buffer.from('nothing '.repeat(1000))],
    ['fails later', tarFile([...honestMembers.slice(0, 4), { name: 'evil' }, ...blobs])],
  ])('that %s lets go of its source', async (_, bytes) => {
    let isClosed = false
    async function* source() {
      try {
        yield* inPieces(bytes, 10_000) as AsyncIterable<Buffer>
        yield Buffer.alloc(512)
      } finally {
        isClosed = true
      }
    }
    await importModels(store, source()).result.catch(() => {})
    await expect.poll(() => isClosed).toBe(true)
  })

  it('gives on the failure of its source', async () => {
    async function* broken() {
      yield tarFile(honestMembers).subarray(0, 3000)
      await Promise.resolve()
      throw new Error('the line broke')
    }
    await expect(importModels(store, broken())).rejects.toThrow('the line broke')
    await expect(importModels(store, join(temporary.path, 'nothing.tar'))).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringMatching(/^There is no file ".*nothing\.tar"\.$/) as string,
    })
    await expect(importModels(store, temporary.path)).rejects.toThrow(/it is a folder/)
  })

  it('of what an export wrote gives the same models, two of them at once', async () => {
    for (const [name, text] of [
      ['a', 'One.'],
      ['b:2', 'Two.'],
      ['host:1/ns/c:3', 'Two.'],
    ] as const)
      await createModel(store, name, text)
    const path = join(temporary.path, 'three.tar')
    await exportModels(store, ['host:1/ns/c:3', 'B:2', 'a', 'a:latest'], path)
    const other = new Store({ directory: join(temporary.path, 'other') })
    const results = await Promise.all([importModels(other, path), importModels(other, path)])
    for (const models of results)
      expect(models.map(({ displayName }) => displayName)).toEqual(['host:1/ns/c:3', 'a:latest', 'b:2'])
    const digests = async (from: Store) =>
      new Map((await from.list()).models.map(({ displayName, manifestDigest }) => [displayName, manifestDigest]))
    expect(await digests(other)).toEqual(await digests(store))
    expect(blobFiles(other)).toEqual(blobFiles(store))
    await expectClean(other)
  })
})
