import { mkdirSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import { Blobs, mediaTypes, Store } from '../../lib/store/index.js'
import { push } from '../../lib/transfer/index.js'
import { registryPulls } from './registry-pulls.js'
import { layerOf, license, serveRegistry, weights, type Call } from './scripted-registry.js'

const setup = registryPulls()
const model = layerOf(mediaTypes.model, weights)
const chunkBytes = Math.ceil(weights.length / 4)

/** Pushes a model, and does something to its store when the registry is about to answer one request. */
async function pushWhile(match: (call: Call) => boolean, meddle: () => Promise<void> | void) {
  let isDone = false
  const registry = await serveRegistry({
    blobs: [license],
    behave: (call) => {
      if (isDone || !match(call)) {
        call.honest()
        return
      }
      isDone = true
      void Promise.resolve(meddle()).finally(() => call.honest())
    },
  })
  const name = `${registry.host}/ns/new:2`
  await setup.store.blobs.ingest([weights])
  const note = await setup.store.addLayer(mediaTypes.license, license)
  await setup.store.createModel(name, { layers: [model, note] })
  const outcome = await push(setup.store, name, { ...setup.options(), chunkBytes }).result.catch(
    (error: unknown) => error as Error,
  )
  await registry[Symbol.asyncDispose]()
  return { registry, outcome }
}
const isUpload = ({ method }: Call) => method === 'POST'
const claims = () => readdirSync(join(setup.store.directory, 'claims'))

describe('the store under a push', () => {
  it('keeps the blobs until the end, though the model is removed meanwhile', async () => {
    const { registry, outcome } = await pushWhile(isUpload, async () => {
      const other = new Store({ directory: setup.store.directory })
      const [{ name } = { name: '' }] = (await other.list()).models
      await other.remove(name)
      await other.prune({ minAgeMs: 0 })
    })
    if (outcome instanceof Error) throw outcome
    expect(registry.blobs.get(model.digest)?.equals(weights)).toBe(true)
    expect(registry.manifests.has('ns/new:2')).toBe(true)
    expect(claims()).toEqual([])
    expect((await setup.store.prune({ minAgeMs: 0 })).removedBlobs).toContain(model.digest)
  })

  it('may be one that cannot be written to', async () => {
    const readOnly = new LlameroError('ERR_STORE', 'no', { details: { systemCode: 'EROFS' } })
    const hold = vi.spyOn(Blobs.prototype, 'hold').mockRejectedValue(readOnly)
    try {
      const { registry, outcome } = await pushWhile(isUpload, () => undefined)
      if (outcome instanceof Error) throw outcome
      expect(registry.manifests.has('ns/new:2')).toBe(true)
    } finally {
      hold.mockRestore()
    }
  })

  const path = () => setup.store.blobs.path(model.digest)
  it.each([
    ['is gone', () => rmSync(path()), /could not be read \(ENOENT\)/],
    [
      'is no file any more',
      () => {
        rmSync(path())
        mkdirSync(path())
      },
      /could not be read \(EISDIR\)/,
    ],
    ['is cut off', () => truncateSync(path(), 10), /could not be read \(it is cut off\)/],
  ])('is told of, and the network is not tried again, where a blob %s', async (_, meddle, message) => {
    const { registry, outcome } = await pushWhile(isUpload, meddle)
    expect(outcome).toMatchObject({ code: 'ERR_STORE', message: expect.stringMatching(message) as string })
    expect(registry.calls.filter(({ method }) => method === 'POST')).toHaveLength(1)
    expect(claims()).toEqual([])
  })
})
