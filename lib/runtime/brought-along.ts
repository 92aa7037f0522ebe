import type { GgufFile } from '../gguf/index.js'
import type { BroughtAlong, Message, ModelOptions } from '../model/index.js'
import { isParameterName, parameterOptions, type ParameterValues } from '../parameters.js'
import { damagedModel, mediaTypes, type ModelDetails, type Store, type StoredModel } from '../store/index.js'

/** What the layers of a stored model say about how it is opened and how it answers. */
export interface StoredSettings {
  /** Defaults of the options of `load`. */
  readonly load: Partial<ModelOptions>
  readonly brought: BroughtAlong
  /** Path of the model that proposes tokens for it, if it has one. */
  readonly draftPath?: string
  /** Path of the projector that reads images and audio for it, if it has one. */
  readonly projectorPath?: string
}

/** Reads the parameters, system message, messages, adapters, draft model and projector of a stored model. */
export async function storedSettings(store: Store, model: StoredModel, signal?: AbortSignal): Promise<StoredSettings> {
  const details = await store.show(model.name, signal ? { signal } : {})
  const pathsOf = (wanted: string) =>
    details.layers.filter(({ mediaType }) => mediaType === wanted).map(({ digest }) => store.blobs.path(digest))
  for (const { mediaType, digest, size } of details.layers) {
    const isLoaded = mediaType === mediaTypes.adapter || mediaType === mediaTypes.draft
    if (isLoaded && (await store.blobs.sizeBytes(digest)) !== size) throw damagedModel(details.displayName, digest)
  }
  const parameters = parametersOf(details)
  const { load, generate } = parameterOptions(parameters)
  const [draftPath] = pathsOf(mediaTypes.draft)
  const speculation = speculationOf(parameters.draft_num_predict, draftPath !== undefined, details.header)
  const [projectorPath] = pathsOf(mediaTypes.projector)
  return {
    load: { ...load, ...(speculation?.by === 'head' && { mtp: true }) },
    brought: {
      options: { ...generate, ...(speculation && { speculation: speculation.option }) },
      system: details.system,
      messages: details.messages as readonly Message[],
      template: { go: details.template, renderer: details.renderer, parser: details.parser },
      adapterPaths: pathsOf(mediaTypes.adapter),
    },
    ...(speculation?.by === 'draft' && draftPath !== undefined && { draftPath }),
    ...(projectorPath !== undefined && { projectorPath }),
  }
}

// A context beyond what the model was trained for is cut, as in Ollama. Parameters that nobody knows have no effect.
function parametersOf({ parameters, header }: Pick<ModelDetails, 'parameters' | 'header'>): ParameterValues {
  const known = Object.entries(parameters).filter(([name]) => isParameterName(name))
  const values = Object.fromEntries(known) as ParameterValues
  const trained = trainedContext(header)
  if (typeof values.num_ctx !== 'number' || trained === undefined) return values
  return { ...values, num_ctx: Math.min(values.num_ctx, trained) }
}

function trainedContext(header: GgufFile | undefined): number | undefined {
  const length = numberOf(header, 'context_length')
  return length > 0 ? length : undefined
}

/** A whole number in the metadata of the model's architecture; 0 where there is none. */
function numberOf(header: GgufFile | undefined, key: string): number {
  const architecture = header?.metadata.get('general.architecture')
  if (architecture?.type !== 'string') return 0
  const value = header?.metadata.get(`${architecture.value}.${key}`)
  return value?.type === 'uint32' ? value.value : 0
}

interface Speculation {
  readonly by: 'draft' | 'head'
  readonly option: true | { readonly maxTokens: number }
}

const mostProposed = 32

/**
 * As in Ollama a draft model proposes unless `draft_num_predict` is 0, and a trained head within the model's file only if
 * it is set. How many tokens pay is found out, up to the number that is set.
 */
function speculationOf(
  tokens: number | undefined,
  hasDraft: boolean,
  header: GgufFile | undefined,
): Speculation | undefined {
  const isSet = tokens !== undefined && tokens >= 0
  const hasHead = numberOf(header, 'nextn_predict_layers') > 0
  if ((isSet && tokens === 0) || (!hasDraft && !(isSet && hasHead))) return undefined
  const option = isSet ? { maxTokens: Math.min(tokens, mostProposed) } : true
  return { by: hasDraft ? 'draft' : 'head', option }
}
