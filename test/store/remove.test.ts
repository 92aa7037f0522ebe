import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { Store } from '../../lib/store/index.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { expectClean } from './clean-store.js'
import { blobFiles, createModel, manifestFile, modelNames, putManifest, weights } from './stored-models.js'

const temporary = temporaryDirectory()
let store: Store
let count = 0
beforeEach(() => {
  store = new Store({ directory: join(temporary.path, `store-${(count += 1)}`) })
})

describe('copy', () => {
  it('gives a second name to the very same manifest, without a new blob', async () => {
    const first = await createModel(store, 'a')
    const blobs = blobFiles(store)
    const copied = await store.copy('a', 'ns/b:t')
    expect(copied).toMatchObject({ displayName: 'ns/b:t', manifestDigest: first.manifestDigest })
    expect(readFileSync(manifestFile(store, 'ns/b:t'))).toEqual(readFileSync(manifestFile(store, 'a')))
    expect(blobFiles(store)).toEqual(blobs)
    expect(await modelNames(store)).toEqual(['a:latest', 'ns/b:t'])
  })

  it.each(['a', 'a:latest', 'A:LATEST', 'library/a'])('to the same name, as %s, is no change', async (name) => {
    await createModel(store, 'a')
    const { mtimeMs } = statSync(manifestFile(store, 'a'))
    expect((await store.copy('a', name)).displayName).toBe('a:latest')
    expect(statSync(manifestFile(store, 'a')).mtimeMs).toBe(mtimeMs)
    expect(await modelNames(store)).toEqual(['a:latest'])
  })

  it('takes the spelling that is known, on both sides', async () => {
    await createModel(store, 'Ns/Model:Tag')
    expect((await store.copy('nS/mODEL:tAG', 'NS/model:Other')).displayName).toBe('Ns/Model:Other')
    expect(await modelNames(store)).toEqual(['Ns/Model:Other', 'Ns/Model:Tag'])
  })

  it('replaces what had that name, and removes what only that needed', async () => {
    const [a, b] = [await createModel(store, 'a', 'One.'), await createModel(store, 'b', 'Another.')]
    await store.copy('a', 'b')
    expect((await store.resolve('b')).manifestDigest).toBe(a.manifestDigest)
    expect(existsSync(store.blobs.path(b.layers[1]?.digest ?? a.modelDigest))).toBe(false)
    await expectClean(store)
  })

  it.each([
    ['nothing', 'b', 'ERR_MODEL_NOT_FOUND'],
    ['a', 'b c', 'ERR_NAME_INVALID'],
    ['../a', 'b', 'ERR_NAME_INVALID'],
    ['a', '../../b', 'ERR_NAME_INVALID'],
    ['damaged', 'b', 'ERR_MANIFEST_INVALID'],
  ])('of %s to %s: %s, and nothing has changed', async (source, destination, code) => {
    await createModel(store, 'a')
    putManifest(store, 'damaged', '{')
    await expect(store.copy(source, destination)).rejects.toMatchObject({ code })
    expect(await modelNames(store)).toEqual(['a:latest'])
  })

  it('of a model whose blobs are gone is refused', async () => {
    rmSync((await createModel(store, 'a')).modelPath)
    await expect(store.copy('a', 'b')).rejects.toMatchObject({ code: 'ERR_STORE' })
    expect(existsSync(manifestFile(store, 'b'))).toBe(false)
  })
})

describe('remove', () => {
  it('takes the manifest, the folders that are empty then, and the blobs that nothing else needs', async () => {
    const model = await createModel(store, 'host:80/ns/a:t')
    const removed = await store.remove('HOST:80/ns/A:t')
    expect(removed).toMatchObject({ displayName: 'host:80/ns/a:t', freedBytes: model.sizeBytes })
    expect(removed.removedBlobs).toHaveLength(3)
    expect(blobFiles(store)).toEqual([])
    expect(readdirSync(join(store.directory, 'manifests'))).toEqual([])
    for (const folder of ['ingest', 'claims']) expect(readdirSync(join(store.directory, folder))).toEqual([])
  })

  it('keeps what another model needs', async () => {
    const [a, b] = [await createModel(store, 'a', 'One.'), await createModel(store, 'a:other', 'Another.')]
    const { removedBlobs } = await store.remove('a')
    expect(removedBlobs).not.toContain(a.modelDigest)
    expect(removedBlobs).toContain(a.layers[1]?.digest)
    expect((await store.resolve('a:other')).manifestDigest).toBe(b.manifestDigest)
    await expectClean(store)
    expect(existsSync(dirname(manifestFile(store, 'a')))).toBe(true)
  })

  it('keeps what a damaged manifest still mentions', async () => {
    const model = await createModel(store, 'a')
    const whole = readFileSync(manifestFile(store, 'a'), 'utf8')
    putManifest(store, 'half', whole.slice(0, whole.lastIndexOf(model.modelDigest) + 71))
    const { removedBlobs } = await store.remove('a')
    expect(removedBlobs).not.toContain(model.modelDigest)
    expect(removedBlobs).toContain(model.layers[1]?.digest)
  })

  it('S12: keeps a blob that is claimed for a manifest to come, until that is written or given up', async () => {
    const model = await createModel(store, 'a')
    const maker = new Store(store)
    expect(await maker.blobs.claim(model.modelDigest)).toBe(true)
    expect((await store.remove('a')).removedBlobs).not.toContain(model.modelDigest)
    await createModel(maker, 'b')
    await expectClean(store)
    expect((await store.remove('b')).removedBlobs).toContain(model.modelDigest)
    await maker.blobs.ingest([weights])
    await maker.blobs.release([model.modelDigest])
    expect((await store.prune({ minAgeMs: 0 })).removedBlobs).toEqual([model.modelDigest])
  })

  it('a claim of what is not there, or not whole, is none', async () => {
    const { modelDigest, modelPath } = await createModel(store, 'a')
    truncateSync(modelPath, 10)
    expect(await store.blobs.claim(modelDigest)).toBe(false)
    rmSync(modelPath)
    expect(await store.blobs.claim(modelDigest)).toBe(false)
    expect(readdirSync(join(store.directory, 'claims'))).toEqual([])
  })

  it.each([
    ['half', '{"schemaVersion":2'],
    ['empty', ''],
    ['huge', ' '.repeat(4 * 1024 * 1024 + 1)],
  ])('of a model whose manifest is %s works, and harms no other', async (_, text) => {
    await createModel(store, 'good')
    putManifest(store, 'bad', text)
    expect(await store.remove('bad')).toMatchObject({ displayName: 'bad:latest', removedBlobs: [] })
    expect((await store.list()).warnings).toEqual([])
    await expectClean(store)
  })

  it('of what a link stands for removes the link only', async () => {
    await createModel(store, 'a')
    const outside = await temporary.write(`outside-${count}`, 'keep me')
    symlinkSync(outside, join(dirname(manifestFile(store, 'a')), 'link'))
    await store.remove('a:link')
    expect(readFileSync(outside, 'utf8')).toBe('keep me')
    expect(await modelNames(store)).toEqual(['a:latest'])
  })

  it.each([
    ['nothing', 'ERR_MODEL_NOT_FOUND'],
    ['a/../../b', 'ERR_NAME_INVALID'],
    ['a@sha256:0000', 'ERR_NAME_INVALID'],
    ['', 'ERR_NAME_INVALID'],
  ])('of %j: %s, and nothing has changed', async (name, code) => {
    await createModel(store, 'a')
    await expect(store.remove(name)).rejects.toMatchObject({ code })
    await expectClean(store)
    expect(await modelNames(store)).toEqual(['a:latest'])
  })

  it('S1: a digest that leads out of the store removes nothing outside', async () => {
    const canary = await temporary.write(`canary-${count}`, 'canary')
    await createModel(store, 'good')
    const layer = { mediaType: 'x', digest: `sha256:../../../canary-${count}`, size: 6 }
    putManifest(store, 'evil', JSON.stringify({ schemaVersion: 2, config: layer, layers: [layer] }))
    await store.remove('evil')
    await store.prune({ minAgeMs: 0 })
    expect(readFileSync(canary, 'utf8')).toBe('canary')
    await expectClean(store)
  })

  it('of a store that does not exist makes none', async () => {
    await expect(store.remove('a')).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
    expect(existsSync(store.directory)).toBe(false)
  })

  it('leaves an open file readable to the end', async () => {
    const { modelPath } = await createModel(store, 'a')
    const file = await open(modelPath, 'r')
    try {
      await store.remove('a')
      expect(existsSync(modelPath)).toBe(false)
      expect(await file.readFile()).toEqual(Buffer.from(weights))
    } finally {
      await file.close()
    }
  })
})

describe('a replaced model', () => {
  it('takes with it what only it needed', async () => {
    const first = await createModel(store, 'a', 'One.')
    const second = await createModel(store, 'a', 'Another.')
    expect(await store.blobs.has(first.layers[1]?.digest ?? first.modelDigest)).toBe(false)
    expect(second.modelDigest).toBe(first.modelDigest)
    await expectClean(store)
    expect(blobFiles(store)).toHaveLength(3)
  })

  it('whose manifest was damaged is healed', async () => {
    await createModel(store, 'a')
    writeFileSync(manifestFile(store, 'a'), '')
    await createModel(store, 'a')
    expect(await modelNames(store)).toEqual(['a:latest'])
  })
})

it('a blob that an old release of Ollama named is found, and gets its name of today', async () => {
  const { modelPath, modelDigest } = await createModel(store, 'a')
  const old = join(dirname(modelPath), modelDigest)
  writeFileSync(old, weights)
  rmSync(modelPath)
  expect((await store.resolve('a')).modelPath).toBe(modelPath)
  expect(existsSync(old)).toBe(false)
  await expectClean(store)
})
