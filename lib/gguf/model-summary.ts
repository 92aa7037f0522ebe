import type { GgufFile } from './gguf-file.js'

/** What listings say about a model. */
export interface ModelSummary {
  /** Such as `llama`; '' if the file does not say. */
  readonly architecture: string
  /** `general.name`; '' if the file does not say. */
  readonly name: string
  /** Elements of all tensors. */
  readonly parameterCount: number
  /** The count as Ollama writes it, such as `134.52M` or `8.0B`. */
  readonly parameterSize: string
  /** The maker's own label, such as `135M`; without one, `parameterSize`. */
  readonly sizeLabel: string
  /** Such as `Q4_K_M`; `unknown` for a number this version does not know. */
  readonly quantization: string
  /** Tokens that the model was trained for; 0 if the file does not say. */
  readonly contextLength: number
  readonly embeddingLength: number
  readonly layers: number
}

/** Names of `general.file_type` as Ollama shows them; numbers from `llama_ftype` in llama.cpp's `llama.h`. */
const fileTypes: ReadonlyMap<number, string> = new Map(
  Object.entries({
    F32: 0,
    F16: 1,
    Q4_0: 2,
    Q4_1: 3,
    Q8_0: 7,
    Q5_0: 8,
    Q5_1: 9,
    Q2_K: 10,
    Q3_K_S: 11,
    Q3_K_M: 12,
    Q3_K_L: 13,
    Q4_K_S: 14,
    Q4_K_M: 15,
    Q5_K_S: 16,
    Q5_K_M: 17,
    Q6_K: 18,
    IQ2_XXS: 19,
    IQ2_XS: 20,
    Q2_K_S: 21,
    IQ3_XS: 22,
    IQ3_XXS: 23,
    IQ1_S: 24,
    IQ4_NL: 25,
    IQ3_S: 26,
    IQ3_M: 27,
    IQ2_S: 28,
    IQ2_M: 29,
    IQ4_XS: 30,
    IQ1_M: 31,
    BF16: 32,
    TQ1_0: 36,
    TQ2_0: 37,
    MXFP4: 38,
    NVFP4: 39,
    Q1_0: 40,
    Q2_0: 41,
  }).map(([name, code]) => [code, name]),
)

/** Sums up a header that {@link readGguf} returned; works for every valid GGUF, also for one that cannot be run. */
export function summarizeModel(file: GgufFile): ModelSummary {
  const architecture = text(file, 'general.architecture')
  const number = (key: string) => {
    const value = file.metadata.get(`${architecture}.${key}`)
    return value?.type === 'uint32' ? value.value : 0
  }
  const parameterCount = file.tensors.reduce((sum, { elements }) => sum + elements, 0)
  const parameterSize = formatCount(parameterCount)
  return {
    architecture,
    name: text(file, 'general.name'),
    parameterCount,
    parameterSize,
    sizeLabel: text(file, 'general.size_label') || parameterSize,
    quantization: quantization(file),
    contextLength: number('context_length'),
    embeddingLength: number('embedding_length'),
    layers: number('block_count'),
  }
}

function text(file: GgufFile, key: string): string {
  const value = file.metadata.get(key)
  return value?.type === 'string' ? value.value : ''
}

/** The declared file type, else the type that holds most of the weights. */
function quantization(file: GgufFile): string {
  const declared = file.metadata.get('general.file_type')
  if (declared?.type === 'uint32') return fileTypes.get(declared.value) ?? 'unknown'
  const elements = new Map<string, number>()
  for (const tensor of file.tensors) elements.set(tensor.type, (elements.get(tensor.type) ?? 0) + tensor.elements)
  return [...elements].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'unknown'
}

/** A count as Ollama writes it: whole thousands, two decimals of a million, one of a billion, none where they are 0. */
export function formatCount(count: number): string {
  const scaled = (unit: number, decimals: number) => (count / unit).toFixed(count % unit === 0 ? 0 : decimals)
  if (count >= 1e9) return `${scaled(1e9, 1)}B`
  if (count >= 1e6) return `${scaled(1e6, 2)}M`
  if (count >= 1e3) return `${scaled(1e3, 0)}K`
  return String(count)
}
