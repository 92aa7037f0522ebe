import { fileTypeName } from './file-type.js'
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
  if (declared?.type === 'uint32') return fileTypeName(declared.value) ?? 'unknown'
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
