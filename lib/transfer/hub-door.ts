import { LlameroError } from '../errors.js'
import {
  checkModel,
  mediaTypes,
  parseDigest,
  type Layer,
  type ModelName,
  type Store,
  type StoredModel,
} from '../store/index.js'
import { pullBlob } from './blob-download.js'
import { HubClient } from './hub-client.js'
import { chooseFiles, type HubFile } from './hub-files.js'
import type { HubReference } from './hub-reference.js'
import { sourceAnnotation } from './package-door.js'
import { tellingRemoval, type PullContext } from './pull-context.js'

/**
 * Pulls a model, and the projector beside it, from a repository of Hugging Face; the hub vouches for the digests.
 * Errors: `ERR_MODEL_NOT_FOUND`, `ERR_REGISTRY`, `ERR_UNSUPPORTED`, `ERR_DIGEST`, `ERR_MODEL_INVALID`.
 */
export async function pullFromHub(
  context: PullContext,
  reference: HubReference,
  name: ModelName,
): Promise<StoredModel> {
  const { store, report, signal } = context
  report({ status: 'pulling manifest' })
  const hub = await HubClient.open(reference, context)
  const files = await hub.files()
  const { model, projector } = chooseFiles(files, reference)
  const wanted = [
    { file: model, layer: layerOf(model, mediaTypes.model) },
    ...(projector === undefined ? [] : [{ file: projector, layer: layerOf(projector, mediaTypes.projector) }]),
  ]
  for (const { file, layer } of wanted) await pullBlob(context, hub.source(file), layer)
  report({ status: 'verifying sha256 digest' })
  const layers = [...wanted.map(({ layer }) => layer), ...(await settingLayers(hub, files, store))]
  await checkModel(store.blobs.path(layerOf(model, mediaTypes.model).digest), signal)
  report({ status: 'writing manifest' })
  return store.createModel(name, {
    layers,
    annotations: { [sourceAnnotation]: `hf.co/${reference.owner}/${reference.repository}/${model.path}` },
    signal,
    ...tellingRemoval(context),
  })
}

/** Files that Ollama reads beside the weights; what is in them is checked where it is used, as in any pulled model. */
const settings = { template: mediaTypes.template, system: mediaTypes.system, params: mediaTypes.params } as const

/** Such files lie in the repository itself, not in LFS: nobody states a digest for them, so it is that of what came. */
async function settingLayers(hub: HubClient, files: readonly HubFile[], store: Store): Promise<Layer[]> {
  const layers: Layer[] = []
  for (const [path, mediaType] of Object.entries(settings)) {
    const file = files.find((other) => other.path === path)
    if (file !== undefined && file.sizeBytes > 0) layers.push(await store.addLayer(mediaType, await hub.text(file)))
  }
  return layers
}

function layerOf({ path, sizeBytes, sha256 }: HubFile, mediaType: string): Layer {
  if (sha256 !== undefined) return { mediaType, digest: parseDigest(`sha256:${sha256}`), size: sizeBytes }
  throw new LlameroError(
    'ERR_UNSUPPORTED',
    `Hugging Face states no sha256 for ${JSON.stringify(path.slice(0, 200))}, so that the file cannot be verified. Download it by other means and give its path.`,
  )
}
