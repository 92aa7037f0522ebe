import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf, Store } from '../../lib/store/index.js'
import { ownIdentity } from '../../lib/store/process-identity.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { expectClean } from './clean-store.js'
import { age, blobFiles, createModel, manifestFile, putManifest, weights } from './stored-models.js'

const temporary = temporaryDirectory()
let store: Store
let count = 0
beforeEach(() => {
  store = new Store({ directory: join(temporary.path, `store-${(count += 1)}`) })
})

const nothing = { removedBlobs: [], removedFiles: 0, freedBytes: 0, warnings: [] }
const orphan = Buffer.from('nobody needs this')
const orphanDigest = digestOf(orphan)

/** A blob that nothing names and nobody claims. */
async function putOrphan(): Promise<void> {
  await store.blobs.ingest([orphan])
  await store.blobs.release([orphanDigest])
}

describe('prune', () => {
  it('of a store that does not exist makes none', async () => {
    expect(await store.prune()).toEqual(nothing)
    expect(existsSync(store.directory)).toBe(false)
  })

  it('removes blobs that no manifest names, and no others', async () => {
    await createModel(store, 'a')
    await putOrphan()
    age(store, 'blobs')
    expect(await store.prune()).toEqual({ ...nothing, removedBlobs: [orphanDigest], freedBytes: orphan.length })
    await expectClean(store)
    expect(blobFiles(store)).toHaveLength(3)
    expect(await store.prune()).toEqual(nothing)
  })

  it.each([
    ['a minute old', Date.now() / 1000 - 60, true],
    ['dated in the future', Date.now() / 1000 + 30 * 365 * 86400, true],
    ['dated in 1970', 1, false],
  ])('what is %s: is it kept? %s', async (_, when, isKept) => {
    await putOrphan()
    age(store, 'blobs', when)
    await store.prune()
    expect(await store.blobs.has(orphanDigest)).toBe(isKept)
  })

  it('S12: keeps what is claimed, however old it is', async () => {
    await store.blobs.ingest([weights])
    age(store, 'blobs')
    expect(await store.prune({ minAgeMs: 0 })).toEqual(nothing)
    await createModel(store, 'a')
    await expectClean(store)
  })

  it.each(['', '{', '\0'])('S13: a manifest that is %j keeps all blobs, and is told of', async (text) => {
    await putOrphan()
    putManifest(store, 'damaged', text)
    age(store, 'blobs')
    const { removedBlobs, warnings } = await store.prune()
    expect(removedBlobs).toEqual([])
    expect(warnings.map(({ displayName }) => displayName)).toEqual(['damaged:latest'])
    expect(await store.blobs.has(orphanDigest)).toBe(true)
    await store.remove('damaged')
    expect((await store.prune()).removedBlobs).toEqual([orphanDigest])
  })

  it('removes the files of downloads that nobody goes on with, and keeps those under way', async () => {
    const [idle, busy] = [digestOf('idle'), digestOf('busy')]
    for (const target of [idle, busy]) {
      const partial = await store.partials.open(target, { index: 0, source: digestOf('source') }, 100)
      await partial.append(Buffer.alloc(100))
      await partial.close()
    }
    const lock = await store.blobs.lock(busy)
    expect(await store.prune()).toEqual(nothing)
    age(store, 'ingest')
    expect(await store.prune()).toEqual({ ...nothing, removedFiles: 1, freedBytes: 100 })
    expect([await store.partials.totalBytes(idle), await store.partials.totalBytes(busy)]).toEqual([0, 100])
    await lock.release()
    age(store, 'ingest')
    expect(await store.prune()).toEqual({ ...nothing, removedFiles: 1, freedBytes: 100 })
    expect(readdirSync(join(store.directory, 'ingest'))).toEqual([])
  })

  it("removes Ollama's own leftovers once they are old", async () => {
    await createModel(store, 'a')
    const blobs = join(store.directory, 'blobs')
    const leftovers = [`sha256-${'0'.repeat(64)}-partial`, `sha256-${'0'.repeat(64)}-partial-3`, 'sha256-1234567']
    for (const name of leftovers) writeFileSync(join(blobs, name), 'xx')
    mkdirSync(join(blobs, 'folder'))
    expect(await store.prune()).toEqual(nothing)
    age(store, 'blobs')
    expect(await store.prune()).toEqual({ ...nothing, removedFiles: 3, freedBytes: 6 })
    expect(readdirSync(blobs)).toContain('folder')
    expect(readdirSync(blobs)).toHaveLength(4)
  })

  it('brings the names of old releases to those of today, before it looks for what is unused', async () => {
    const { modelPath, modelDigest } = await createModel(store, 'a')
    const [old, unused] = [modelDigest, orphanDigest].map((name) => join(dirname(modelPath), name))
    writeFileSync(old ?? '', weights)
    writeFileSync(unused ?? '', orphan)
    await store.remove('a')
    age(store, 'blobs')
    expect((await store.prune()).removedBlobs.toSorted()).toEqual([modelDigest, orphanDigest].sort())
    expect(blobFiles(store)).toEqual([])
  })

  it('renames them without a loss', async () => {
    const { modelPath, modelDigest } = await createModel(store, 'a')
    writeFileSync(join(dirname(modelPath), orphanDigest), orphan)
    await store.prune()
    expect(await store.blobs.verify(orphanDigest)).toBe(true)
    expect(await store.blobs.verify(modelDigest)).toBe(true)
  })

  it('removes empty folders of manifests', async () => {
    await createModel(store, 'a')
    mkdirSync(join(store.directory, 'manifests', 'host', 'ns', 'm'), { recursive: true })
    await store.prune()
    expect(readdirSync(join(store.directory, 'manifests'))).toEqual(['registry.ollama.ai'])
    expect(existsSync(manifestFile(store, 'a'))).toBe(true)
  })

  it('clears away the claims of processes that are gone, and those of unseen machines after a day', async () => {
    await putOrphan()
    const claims = join(store.directory, 'claims')
    const { host, namespace } = await ownIdentity()
    const claimOf = (owner: string) => join(claims, `sha256-${orphanDigest.slice(7)}.${owner}-0123456789abcdef`)
    const elsewhere = claimOf('1-1-1-00000000-ffffffff')
    writeFileSync(claimOf(`4194303-1-${namespace || 'x'}-x-${host}`), '')
    writeFileSync(elsewhere, '')
    expect((await store.prune({ minAgeMs: 0 })).removedBlobs).toEqual([])
    expect(readdirSync(claims)).toHaveLength(1)
    utimesSync(elsewhere, 1, 1)
    expect((await store.prune({ minAgeMs: 0 })).removedBlobs).toEqual([orphanDigest])
  })
})

describe('what prune cannot see', () => {
  it.skipIf(process.platform === 'win32')(
    'keeps everything: manifests behind links, links to nothing (POSIX links)',
    async () => {
      await createModel(store, 'a')
      const real = manifestFile(store, 'a')
      const elsewhere = join(store.directory, 'elsewhere')
      renameSync(real, elsewhere)
      symlinkSync(elsewhere, real)
      expect((await store.list()).models.map(({ displayName }) => displayName)).toEqual(['a:latest'])
      age(store, 'blobs')
      expect(await store.prune()).toMatchObject({ warnings: [] })
      await expectClean(store)
      expect((await store.resolve('a')).displayName).toBe('a:latest')

      const before = blobFiles(store)
      renameSync(elsewhere, `${elsewhere}-gone`)
      age(store, 'blobs')
      const { warnings } = await store.prune()
      expect(warnings.map(({ message }) => message)).toEqual([expect.stringMatching(/^The link .* leads to nothing/)])
      expect(blobFiles(store)).toEqual(before)
    },
  )

  it.skipIf(process.platform === 'win32')(
    'keeps everything behind a folder that is a link to nothing (POSIX links)',
    async () => {
      await createModel(store, 'host.example/ns/a')
      const host = join(store.directory, 'manifests', 'host.example')
      rmSync(host, { recursive: true })
      symlinkSync('/nowhere/at/all', host)
      const before = blobFiles(store)
      age(store, 'blobs')
      expect((await store.prune()).warnings).toHaveLength(1)
      expect(blobFiles(store)).toEqual(before)
    },
  )

  it('keeps all parts of a download by Ollama while one of them is young', async () => {
    const stem = `sha256-${'ab'.repeat(32)}-partial`
    mkdirSync(join(store.directory, 'blobs'), { recursive: true })
    for (const name of [stem, `${stem}-0`, `${stem}-1`]) writeFileSync(join(store.directory, 'blobs', name), 'x')
    age(store, 'blobs')
    const now = Date.now() / 1000
    utimesSync(join(store.directory, 'blobs', stem), now, now)
    await store.prune()
    expect(blobFiles(store)).toEqual([stem, `${stem}-0`, `${stem}-1`])
    age(store, 'blobs')
    await store.prune()
    expect(blobFiles(store)).toEqual([])
  })

  it('gives what is claimed or held a new date, by which Ollama spares it', async () => {
    const { digest, sizeBytes } = await store.blobs.ingest([weights])
    for (const use of [() => store.blobs.claim(digest), () => store.blobs.hold(digest, sizeBytes)]) {
      age(store, 'blobs')
      expect(await use()).toBe(true)
      expect(Date.now() - statSync(store.blobs.path(digest)).mtimeMs).toBeLessThan(60_000)
    }
  })
})
