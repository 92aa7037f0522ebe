import { readGguf, summarizeModel, type GgufFile } from '../gguf/index.js'
import type { Blobs } from './blobs.js'
import { capabilitiesOf, type Capability } from './capabilities.js'
import type { ListedModel } from './manifest-file.js'
import { mediaTypes, type Layer } from './manifest.js'
import { parseConfig } from './model-config.js'
import { parseParameters, type ModelParameters } from './model-parameters.js'
import { badDocument, readDocument, readText, requireWhole } from './small-layer.js'

/** A turn that comes before every conversation with a model. */
export interface StoredMessage {
  readonly role: string
  readonly content: string
}

/** Everything that a model's parts say about it. */
export interface ModelDetails extends ListedModel {
  /** The model that this one was made from, if that was noted. */
  readonly parentModel: string
  /** `gguf`, or `safetensors` for models that only Ollama can run. */
  readonly format: string
  /** Architecture, such as `llama`. */
  readonly family: string
  readonly families: readonly string[]
  /** Number of weights for people, such as `134.52M`. */
  readonly parameterSize: string
  /** Number of weights; 0 if the header is not there to count them. */
  readonly parameterCount: number
  /** Such as `Q4_K_M`. */
  readonly quantization: string
  /** Tokens that the model was trained for; 0 if nothing says so. */
  readonly contextLength: number
  /** Numbers of an embedding; 0 if nothing says so. */
  readonly embeddingLength: number
  /** The renderer of prompts inside Ollama that the model's maker asks for; '' for none. */
  readonly renderer: string
  /** The parser of answers inside Ollama that its maker asks for; '' for none. */
  readonly parser: string
  /** The least version of Ollama that its maker asks for; '' for none. */
  readonly requires: string
  /** The Go template of its layer; '' without one. */
  readonly template: string
  /** The Jinja template inside the weights, which is what llamero's chats are rendered with; '' without one. */
  readonly chatTemplate: string
  /** Instructions for every conversation; '' for none. */
  readonly system: string
  readonly parameters: ModelParameters
  readonly messages: readonly StoredMessage[]
  readonly licenses: readonly string[]
  readonly capabilities: readonly Capability[]
  /** Those of its config alone, which count beside what its parts show. */
  readonly claimedCapabilities: readonly string[]
  /** The header of the weights: metadata and tensors. Absent for other formats than GGUF. */
  readonly header?: GgufFile
  /** The encoder for images or sound, if there is one. */
  readonly projector?: ProjectorDetails
}

/** What the header of an encoder for images or sound says. */
export interface ProjectorDetails {
  /** Such as `clip`. */
  readonly architecture: string
  readonly parameterSize: string
  /** Width of the encoder; 0 if nothing says so. */
  readonly embeddingLength: number
  /** Numbers of each vector that it hands to the model; 0 if nothing says so. */
  readonly dimensions: number
  readonly header: GgufFile
}

/** Reads the small layers of a model and the headers of the large ones; see {@link Store.show}. */
export async function modelDetails(
  { directory, blobs }: { readonly directory: string; readonly blobs: Blobs },
  model: ListedModel,
  signal?: AbortSignal,
): Promise<ModelDetails> {
  const { displayName, layers } = model
  const ofType = (...types: readonly string[]) => layers.filter(({ mediaType }) => types.includes(mediaType))
  const text = async (...types: readonly string[]) => {
    const last = ofType(...types).at(-1)
    return last === undefined ? '' : readText(directory, blobs, last, displayName)
  }
  const document = (layer: Layer, what: string) => readDocument(directory, blobs, layer, { model: displayName, what })
  const header = async (layer: Layer | undefined) => {
    if (layer === undefined) return undefined
    await requireWhole(blobs, layer, displayName)
    return readGguf(blobs.path(layer.digest), signal ? { signal } : {})
  }

  refuseManyTexts(model)
  const config = parseConfig(await document(model.config, 'config'))
  if (config === undefined) throw badDocument(displayName, 'config', 'is no JSON object')
  const weights = ofType(mediaTypes.model)[0]
  const gguf = await header(weights)
  const summary = gguf && summarizeModel(gguf)
  const projector = await header(ofType(mediaTypes.projector)[0])
  const template = await text(mediaTypes.template, mediaTypes.prompt)
  const chatTemplate = textValue(gguf, 'tokenizer.chat_template')
  const family = config.family || summary?.architecture || ''
  const licenses: string[] = []
  for (const layer of ofType(mediaTypes.license)) licenses.push(await readText(directory, blobs, layer, displayName))
  return {
    ...model,
    parentModel: weights?.from ?? '',
    format: config.format || (weights === undefined ? '' : 'gguf'),
    family,
    families: config.families.length > 0 || family === '' ? config.families : [family],
    parameterSize: config.parameterSize || (summary?.parameterSize ?? ''),
    parameterCount: summary?.parameterCount ?? 0,
    quantization: config.quantization || (summary?.quantization ?? ''),
    contextLength: summary?.contextLength || config.contextLength,
    embeddingLength: summary?.embeddingLength || config.embeddingLength,
    renderer: config.renderer,
    parser: config.parser,
    requires: config.requires,
    template,
    chatTemplate,
    system: await text(mediaTypes.system),
    parameters: await readParameters(ofType(mediaTypes.params).at(-1), document, displayName),
    messages: await readMessages(ofType(mediaTypes.messages).at(-1), document, displayName),
    licenses,
    capabilities: capabilitiesOf({
      header: gguf,
      projector,
      template,
      chatTemplate,
      family: summary?.architecture || family,
      claimed: config.capabilities,
    }),
    claimedCapabilities: config.capabilities,
    ...(gguf && { header: gguf }),
    ...(projector && { projector: projectorDetails(projector) }),
  }
}

/** All texts of a model together; each has its own limit too. One blob may stand in a manifest many times. */
const mostTextBytes = 16 * 1024 * 1024

const textTypes: ReadonlySet<string> = new Set([
  mediaTypes.template,
  mediaTypes.prompt,
  mediaTypes.system,
  mediaTypes.params,
  mediaTypes.messages,
  mediaTypes.license,
])

function refuseManyTexts({ displayName, layers }: ListedModel): void {
  const bytes = layers.reduce((sum, { mediaType, size }) => sum + (textTypes.has(mediaType) ? size : 0), 0)
  if (bytes <= mostTextBytes) return
  throw badDocument(
    displayName,
    'manifest',
    `names texts of ${bytes} bytes; ${mostTextBytes} are the most that is read`,
  )
}

function projectorDetails(header: GgufFile): ProjectorDetails {
  const { architecture, parameterSize } = summarizeModel(header)
  const number = (key: string) => {
    const value = header.metadata.get(`${architecture}.vision.${key}`)
    return value?.type === 'uint32' ? value.value : 0
  }
  const [embeddingLength, dimensions] = [number('embedding_length'), number('projection_dim')]
  return { architecture, parameterSize, embeddingLength, dimensions, header }
}

type ReadLayer = (layer: Layer, what: string) => Promise<unknown>

async function readParameters(layer: Layer | undefined, read: ReadLayer, model: string): Promise<ModelParameters> {
  if (layer === undefined) return {}
  const parameters = parseParameters(await read(layer, 'parameters'))
  if (typeof parameters === 'string') throw badDocument(model, 'parameters', parameters)
  return parameters
}

async function readMessages(
  layer: Layer | undefined,
  read: ReadLayer,
  model: string,
): Promise<readonly StoredMessage[]> {
  if (layer === undefined) return []
  const messages = await read(layer, 'messages')
  if (!Array.isArray(messages) || !messages.every(isMessage))
    throw badDocument(model, 'messages', 'are no array of objects with a role and a content')
  return messages.map(({ role, content }) => ({ role, content }))
}

function isMessage(value: unknown): value is StoredMessage {
  if (typeof value !== 'object' || value === null || !('role' in value) || !('content' in value)) return false
  return typeof value.role === 'string' && typeof value.content === 'string'
}

function textValue(file: GgufFile | undefined, key: string): string {
  const found = file?.metadata.get(key)
  return found?.type === 'string' ? found.value : ''
}
