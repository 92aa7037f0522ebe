import { readGguf, summarizeModel, validateModel } from '../gguf/index.js'

/** The config document of a model, as Ollama writes and reads it. */
export interface ModelConfig {
  readonly model_format: 'gguf'
  /** Architecture, such as `llama`. */
  readonly model_family: string
  readonly model_families: readonly string[]
  /** Number of parameters for people, such as `134.52M`. */
  readonly model_type: string
  /** Quantisation of most tensors, such as `Q4_K_M`. */
  readonly file_type: string
  readonly renderer?: string
  readonly parser?: string
  readonly requires?: string
  readonly capabilities?: readonly string[]
  readonly architecture: 'amd64'
  readonly os: 'linux'
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] }
}

/** What a config says beyond what the weights show; '' and empty are left out. */
export interface ModelClaims {
  /** A renderer of prompts inside Ollama. */
  readonly renderer: string
  /** A parser of answers inside Ollama. */
  readonly parser: string
  /** The least version of Ollama. */
  readonly requires: string
  readonly capabilities: readonly string[]
}

/** Describes the model in a GGUF file. Errors: those of `readGguf`. */
export async function describeModel(
  path: string,
  layerDigests: readonly string[],
  claims: Partial<ModelClaims> = {},
  signal?: AbortSignal,
): Promise<ModelConfig> {
  const { architecture, parameterSize, quantization } = summarizeModel(await readGguf(path, signal ? { signal } : {}))
  return {
    model_format: 'gguf',
    model_family: architecture,
    model_families: [architecture],
    model_type: parameterSize,
    file_type: quantization,
    ...(claims.renderer && { renderer: claims.renderer }),
    ...(claims.parser && { parser: claims.parser }),
    ...(claims.requires && { requires: claims.requires }),
    ...(claims.capabilities?.length && { capabilities: claims.capabilities }),
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layerDigests },
  }
}

/** Throws `ERR_MODEL_INVALID` unless the file is a GGUF model that llama.cpp may be given. */
export async function checkModel(path: string, signal?: AbortSignal): Promise<void> {
  validateModel(await readGguf(path, signal ? { signal } : {}))
}

/** Bytes of a config document: compact JSON. */
export function encodeConfig(config: ModelConfig): Uint8Array {
  return Buffer.from(JSON.stringify(config))
}

/** What the config of any model says, also of one that Ollama wrote; '', 0 and empty where it says nothing. */
export interface StatedConfig {
  readonly format: string
  readonly family: string
  readonly families: readonly string[]
  readonly parameterSize: string
  readonly quantization: string
  readonly renderer: string
  readonly parser: string
  readonly requires: string
  readonly capabilities: readonly string[]
  readonly contextLength: number
  readonly embeddingLength: number
}

/** Reads a config document; undefined if it is no object. What is of the wrong type counts as not said. */
export function parseConfig(document: unknown): StatedConfig | undefined {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return undefined
  const config = document as Readonly<Record<string, unknown>>
  const text = (key: string) => (typeof config[key] === 'string' ? config[key] : '')
  const number = (key: string) => (typeof config[key] === 'number' ? config[key] : 0)
  const texts = (key: string) => {
    const value = config[key]
    return Array.isArray(value) ? value.filter((part) => typeof part === 'string') : []
  }
  return {
    format: text('model_format'),
    family: text('model_family'),
    families: texts('model_families'),
    parameterSize: text('model_type'),
    quantization: text('file_type'),
    renderer: text('renderer'),
    parser: text('parser'),
    requires: text('requires'),
    capabilities: texts('capabilities'),
    contextLength: number('context_length'),
    embeddingLength: number('embedding_length'),
  }
}
