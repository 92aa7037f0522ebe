import { infillTokens } from './infill.js'
import type { NativeEngineInfo, NativeModelInfo, NativeProjectorInfo } from '../native-types.js'
import { canEmbed, canRerank, statedPooling, type Pooling } from './pooling.js'

/** What is known of a draft model. */
export interface DraftModelInfo {
  /** One line, such as `llama 135M Q4_1`. */
  readonly description: string
  readonly sizeBytes: number
}

/** What is known of an open model. */
export interface ModelInfo {
  /** One line, such as `llama 135M Q4_1`. */
  readonly description: string
  /** The architecture's name in llama.cpp, such as `llama` or `gemma3`. */
  readonly architecture: string
  /** Number of weights. */
  readonly parameters: number
  readonly sizeBytes: number
  readonly vocabularySize: number
  /** Tokens of the longest text that the model was trained on; 0 if the file does not say. */
  readonly trainedContextSize: number
  /** Most tokens of one request here, prompt and answer together. */
  readonly contextSize: number
  /** Cells of the KV cache, shared by all requests; 0 for a model that can't generate. */
  readonly cacheCells: number
  /** Requests that run at once; 0 for a model that can't generate. */
  readonly parallel: number
  /** Most compute threads; 0 for a model that can't generate. */
  readonly threads: number
  /** Numbers of an embedding. */
  readonly embeddingSize: number
  readonly layers: number
  /** Those of them that lie on GPUs, and one more for the layer that makes logits; 0: none, so the CPU computes. */
  readonly gpuLayers: number
  /** Whether `generate` and `chat` work: not with encoders such as BERT. */
  readonly canGenerate: boolean
  /** Whether `generate` takes a `suffix`: the model was trained to fill in the middle. */
  readonly canInfill: boolean
  /** Whether prompts may hold images: the model was opened with a projector for them. */
  readonly takesImages: boolean
  /** Whether prompts may hold audio. */
  readonly takesAudio: boolean
  /** Whether `embed` works: with encoders, and with models that generate too, though few of them were trained for it. */
  readonly canEmbed: boolean
  /** Whether `rerank` works: with models that have a classifier for it. */
  readonly canRerank: boolean
  /** How the model's file asks that vectors of tokens become one; absent if it says nothing. */
  readonly pooling?: Pooling
  /** Ids of special tokens; absent where the vocabulary has none. */
  readonly bosToken?: number
  readonly eosToken?: number
  /** The draft model that proposes tokens, if the model was opened with one. */
  readonly draft?: DraftModelInfo
  /** The model's own Jinja template; absent: `chat` uses ChatML. */
  readonly chatTemplate?: string
  /** Scalar metadata of the file as text. */
  readonly metadata: Readonly<Record<string, string>>
}

/** Architectures that read text as a whole (encoders) or write it out of order (diffusion), in llama.cpp's names. */
const withoutGeneration = /bert|^t5|^gemma-embedding$|^dream$|^llada|^rnd1$/

export function canGenerate(info: NativeModelInfo): boolean {
  return (
    info.hasDecoder &&
    !info.hasEncoder &&
    info.metadata[`${info.architecture}.attention.causal`] !== 'false' &&
    !withoutGeneration.test(info.architecture)
  )
}

export function modelInfo(
  info: NativeModelInfo,
  contextSize: number,
  engine: NativeEngineInfo | undefined,
  draft: NativeModelInfo | undefined,
  media: NativeProjectorInfo | undefined,
): ModelInfo {
  const pooling = statedPooling(info)
  return {
    description: info.description,
    architecture: info.architecture,
    parameters: info.parameters,
    sizeBytes: info.sizeBytes,
    vocabularySize: info.vocabularySize,
    trainedContextSize: info.trainedContextSize,
    contextSize,
    cacheCells: engine?.contextSize ?? 0,
    parallel: engine?.maxSequences ?? 0,
    threads: engine?.threads ?? 0,
    embeddingSize: info.embeddingSize,
    layers: info.layers,
    gpuLayers: info.gpuLayers,
    canGenerate: engine !== undefined,
    canInfill: engine !== undefined && infillTokens(info) !== undefined,
    takesImages: media?.images ?? false,
    takesAudio: media?.audio ?? false,
    canEmbed: canEmbed(info),
    canRerank: canRerank(info),
    ...(pooling === undefined ? {} : { pooling }),
    ...(draft === undefined ? {} : { draft: { description: draft.description, sizeBytes: draft.sizeBytes } }),
    ...(info.bosToken < 0 ? {} : { bosToken: info.bosToken }),
    ...(info.eosToken < 0 ? {} : { eosToken: info.eosToken }),
    ...(info.chatTemplate === '' ? {} : { chatTemplate: info.chatTemplate }),
    metadata: info.metadata,
  }
}
