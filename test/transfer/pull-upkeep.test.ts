import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeManifest, mediaTypes } from '../../lib/store/index.js'
import { createModel } from '../store/stored-models.js'
import { registryPulls } from './registry-pulls.js'
import {
  config,
  layerOf,
  license,
  manifestOf,
  serveRegistry,
  weights,
  type Call,
  type RegistryScript,
} from './scripted-registry.js'

const setup = registryPulls()
const honestManifest = Buffer.from(encodeManifest(manifestOf()))
const configDigest = layerOf('', config).digest
const claims = () => readdirSync(join(setup.store.directory, 'claims'))
const pruneAll = () => setup.store.prune({ minAgeMs: 0 })

/** A registry that calls back before it gives the config of `ns/m:1`, which is asked for last. */
async function servePaused(work: () => Promise<void>, script: RegistryScript = {}) {
  const behave = (call: Call) => {
    if (call.path.startsWith('/v2/ns/m/') && call.path.endsWith(configDigest)) void work().finally(() => call.honest())
    else call.honest()
  }
  return serveRegistry({ ...script, behave })
}

describe('beside a pull', () => {
  it('prune takes nothing that its manifest is about to name, found or fetched', async () => {
    let removed: readonly string[] | undefined
    await using registry = await servePaused(async () => {
      removed = (await pruneAll()).removedBlobs
    })
    const { digest } = await setup.store.blobs.ingest([weights])
    await setup.store.blobs.release([digest])
    await setup.expectStored((await setup.pull(registry)).outcome, honestManifest)
    expect(removed).toEqual([])
    expect(registry.calls.some(({ path }) => path.endsWith(digest))).toBe(false)
    expect(claims()).toEqual([])
  })

  it('rm leaves what the pull shares with the removed model', async () => {
    await using registry = await servePaused(async () => {
      await setup.store.remove('other')
    })
    await createModel(setup.store, 'other')
    await setup.expectStored((await setup.pull(registry)).outcome, honestManifest)
  })

  it('another one that fails gives up its own blobs alone', async () => {
    let failure: unknown
    await using registry = await servePaused(async () => {
      failure = (await setup.pull(registry, {}, 'ns/broken:1')).outcome
      await pruneAll()
    })
    const missing = layerOf(mediaTypes.system, Buffer.from('nowhere'))
    const { layers } = manifestOf()
    registry.manifests.set('ns/broken:1', Buffer.from(encodeManifest(manifestOf({ layers: [...layers, missing] }))))
    await setup.expectStored((await setup.pull(registry)).outcome, honestManifest)
    expect(failure).toMatchObject({ code: 'ERR_REGISTRY' })
  })

  it('nothing protects the blobs of one that has failed', async () => {
    await using registry = await serveRegistry({ blobs: [weights, license] })
    expect((await setup.pull(registry)).outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    expect(claims()).toEqual([])
    expect((await pruneAll()).removedBlobs).toHaveLength(2)
  })
})

describe('a pull over an existing model', () => {
  const systemText = Buffer.from('Be terse.')
  const replaced = manifestOf({
    layers: [layerOf(mediaTypes.model, weights), layerOf(mediaTypes.system, systemText)],
  })
  const oldText = layerOf('', systemText).digest
  async function pullTwice(between: () => Promise<unknown> = async () => {}) {
    await using registry = await serveRegistry({ manifest: replaced, blobs: [weights, config, license, systemText] })
    const first = await setup.pull(registry)
    await between()
    registry.manifests.set('ns/m:1', honestManifest)
    const second = await setup.pull(registry)
    await setup.expectStored(second.outcome, honestManifest)
    const third = await setup.pull(registry)
    return [first, second, third].map(({ news }) => news.map(({ status }) => status).slice(-3))
  }

  it('removes the layers that it alone had, and says so in the words of Ollama', async () => {
    const [first, second, third] = await pullTwice()
    expect(second).toEqual(['writing manifest', 'removing unused layers', 'success'])
    expect(first).toEqual(['verifying sha256 digest', 'writing manifest', 'success'])
    expect(third).toEqual(first)
    expect(await setup.store.blobs.has(oldText)).toBe(false)
  })

  it('keeps those that another model names', async () => {
    await pullTwice(async () => {
      const [model] = (await setup.store.list()).models
      await setup.store.copy(model!.name, 'kept')
    })
    expect(await setup.store.blobs.has(oldText)).toBe(true)
    expect(await setup.store.show('kept')).toMatchObject({ system: 'Be terse.' })
  })
})
