import { describe, expect, it } from 'vitest'
import { mediaTypes } from '../../lib/store/index.js'
import { registryPulls } from './registry-pulls.js'
import { config, layerOf, license, manifestOf, serveRegistry, weights, type Call } from './scripted-registry.js'

const setup = registryPulls()
const { digest } = layerOf(mediaTypes.model, weights)

describe('a plain GGUF artifact', () => {
  const docker = 'application/vnd.docker.ai'
  const cncf = 'application/vnd.cncf.model'
  const readme = Buffer.from('Read me.')
  const artifactOf = (configType: string, ...layers: [string, Buffer][]) => ({
    manifest: manifestOf({
      mediaType: mediaTypes.ociManifest,
      config: layerOf(configType, config),
      layers: layers.map(([type, content]) => layerOf(type, content)),
    }),
    blobs: [...layers.map(([, content]) => content), config],
    // Registries answer with the type of the document.
    behave: (call: Call) => {
      call.request.headers.accept = mediaTypes.ociManifest
      call.honest()
    },
  })

  it.each([
    [
      "in Docker's format",
      artifactOf(`${docker}.model.config.v0.1+json`, [`${docker}.gguf.v3`, weights], [`${docker}.license`, license]),
      [layerOf(mediaTypes.model, weights), layerOf(mediaTypes.license, license)],
    ],
    [
      'as a ModelPack',
      artifactOf(`${cncf}.config.v1+json`, [`${cncf}.doc.v1.raw`, readme], [`${cncf}.weight.v1.raw`, weights]),
      [layerOf(mediaTypes.model, weights)],
    ],
  ])("%s is stored with Ollama's layers", async (_, script, layers) => {
    await using registry = await serveRegistry(script)
    const { outcome } = await setup.pull(registry)
    expect(outcome).toMatchObject({ layers, modelDigest: digest, config: { mediaType: mediaTypes.config } })
    const again = await setup.pull(registry)
    expect(again.outcome).toMatchObject({ manifestDigest: (outcome as { manifestDigest?: string }).manifestDigest })
    expect(registry.calls.filter(({ path }) => path.endsWith(layerOf('', readme).digest))).toEqual([])
  })

  it.each([
    ['of other weights', artifactOf('x', [`${cncf}.weight.v1.raw`, Buffer.alloc(500, 7)]), 'ERR_MODEL_INVALID'],
    [
      'in pieces',
      artifactOf('x', [`${cncf}.weight.v1.raw`, weights], [`${cncf}.weight.v1.raw`, license]),
      'ERR_UNSUPPORTED',
    ],
    ['in an archive', artifactOf('x', [`${cncf}.weight.v1.tar`, weights]), 'ERR_UNSUPPORTED'],
  ])('%s is refused', async (_, script, code) => {
    await using registry = await serveRegistry(script)
    expect((await setup.pull(registry)).outcome).toMatchObject({ code })
    await setup.expectNothing()
  })
})
