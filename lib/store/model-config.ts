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
  readonly architecture: 'amd64'
  readonly os: 'linux'
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] }
}

/** Describes the model in a GGUF file. Errors: those of `readGguf`. */
export async function describeModel(
  path: string,
  layerDigests: readonly string[],
  signal?: AbortSignal,
): Promise<ModelConfig> {
  const { architecture, parameterSize, quantization } = summarizeModel(await readGguf(path, signal ? { signal } : {}))
  return {
    model_format: 'gguf',
    model_family: architecture,
    model_families: [architecture],
    model_type: parameterSize,
    file_type: quantization,
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
