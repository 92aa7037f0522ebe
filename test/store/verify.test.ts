import { chmodSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { Store, type VerifyProgress } from '../../lib/store/index.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { createModel, putManifest, weights } from './stored-models.js'

const temporary = temporaryDirectory()
let store: Store
let count = 0
beforeEach(() => {
  store = new Store({ directory: join(temporary.path, `store-${(count += 1)}`) })
})

function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

describe('verify', () => {
  it('of a store that does not exist finds nothing wrong', async () => {
    expect(await store.verify()).toEqual({
      isClean: true,
      models: 0,
      blobs: 0,
      hashedBytes: 0,
      damagedBlobs: [],
      warnings: [],
    })
  })

  it('hashes each blob of all models once', async () => {
    const [a, b] = [await createModel(store, 'a', 'One.'), await createModel(store, 'b', 'Another.')]
    const hashedBytes = a.sizeBytes + b.sizeBytes - weights.length
    expect(await store.verify()).toMatchObject({ isClean: true, models: 2, blobs: 5, hashedBytes, damagedBlobs: [] })
  })

  it.each([
    ['missing', 'missing', rmSync],
    ['a byte short', 'torn', (path: string) => truncateSync(path, weights.length - 1)],
    ['a byte long', 'torn', (path: string) => writeFileSync(path, Buffer.concat([weights, Buffer.of(0)]))],
    ['empty', 'torn', (path: string) => truncateSync(path, 0)],
    ['other in its first bit', 'wrong', (path: string) => flipBit(path, 0)],
    ['other in its middle', 'wrong', (path: string) => flipBit(path, weights.length >> 1)],
    ['other in its last bit', 'wrong', (path: string) => flipBit(path, weights.length - 1)],
  ] as const)('finds weights that are %s: %s', async (_, fault, damage) => {
    const { modelPath, modelDigest } = await createModel(store, 'a')
    await store.copy('a', 'b')
    damage(modelPath)
    const { isClean, damagedBlobs } = await store.verify()
    expect(isClean).toBe(false)
    expect(damagedBlobs).toMatchObject([{ fault, digest: modelDigest }])
    expect(damagedBlobs[0]?.models.toSorted()).toEqual(['a:latest', 'b:latest'])
    expect(damagedBlobs[0]?.message).toContain(modelDigest)
    expect(damagedBlobs[0]?.message).not.toContain(store.directory)
  })

  it.skipIf(process.getuid?.() === 0)('finds what cannot be read, and goes on', async () => {
    const { modelPath, modelDigest } = await createModel(store, 'a')
    chmodSync(modelPath, 0)
    const { blobs, damagedBlobs } = await store.verify()
    expect(blobs).toBe(3)
    expect(damagedBlobs).toMatchObject([{ fault: 'unreadable', digest: modelDigest }])
  })

  it('finds a damaged config and a damaged license', async () => {
    const { config, layers } = await createModel(store, 'a')
    const small = [config, ...layers.slice(1)].map(({ digest }) => digest)
    for (const digest of small) flipBit(store.blobs.path(digest), 0)
    const { damagedBlobs } = await store.verify()
    expect(damagedBlobs.map(({ digest }) => digest).sort()).toEqual(small.sort())
  })

  it('finds damaged manifests', async () => {
    await createModel(store, 'a')
    putManifest(store, 'half', '{')
    const { isClean, warnings, models } = await store.verify()
    expect({ isClean, models }).toEqual({ isClean: false, models: 1 })
    expect(warnings).toMatchObject([{ displayName: 'half:latest' }])
  })

  it('of some models looks at no others', async () => {
    const { modelPath } = await createModel(store, 'a')
    rmSync(modelPath)
    const layers = [await store.addLayer('application/vnd.ollama.image.license', 'x')]
    const manifest = { schemaVersion: 2, config: layers[0], layers }
    await store.writeManifest('b', Buffer.from(JSON.stringify(manifest)))
    expect(await store.verify({ models: ['B', 'b:latest'] })).toMatchObject({ isClean: true, models: 1, blobs: 1 })
    expect(await store.verify({ models: ['a'] })).toMatchObject({ isClean: false })
    await expect(store.verify({ models: ['nothing'] })).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
  })

  it('tells how far it is, up to the end', async () => {
    const { sizeBytes } = await createModel(store, 'a')
    const seen: VerifyProgress[] = []
    await store.verify({ onProgress: (progress) => seen.push(progress) })
    const bytes = seen.map(({ completedBytes }) => completedBytes)
    expect(bytes).toEqual(bytes.toSorted((a, b) => a - b))
    expect(bytes.at(-1)).toBe(sizeBytes)
    expect(new Set(seen.map(({ totalBytes }) => totalBytes))).toEqual(new Set([sizeBytes]))
  })

  it('stops when it is aborted', async () => {
    await createModel(store, 'a')
    const reason = new Error('enough')
    const abort = new AbortController()
    const verifying = store.verify({ signal: abort.signal, onProgress: () => abort.abort(reason) })
    await expect(verifying).rejects.toBe(reason)
  })

  it('takes a model that is removed meanwhile for no problem', async () => {
    await createModel(store, 'a')
    const remove = () => {
      for (const folder of ['manifests', 'blobs'])
        rmSync(join(store.directory, folder), { recursive: true, force: true })
    }
    expect(await store.verify({ onProgress: remove })).toMatchObject({ isClean: true, damagedBlobs: [] })
  })
})
