import { LlameroError } from '../errors.js'

/** One of the files that a large model was cut into, by llama.cpp's way to name them. */
export interface SplitFile {
  /** What the names of all parts begin with. */
  readonly prefix: string
  /** Counted from 1. */
  readonly index: number
  readonly count: number
}

/** Reads a name such as `model-00001-of-00003.gguf`; undefined for a whole file. */
export function splitFile(path: string): SplitFile | undefined {
  const [, prefix, index, count] = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/i.exec(path) ?? []
  if (prefix === undefined || Number(count) <= 1) return undefined
  return { prefix, index: Number(index), count: Number(count) }
}

/** The error for a model that is cut into several files: the store holds whole ones. */
export function splitModel(what: string, parts: readonly string[]): LlameroError {
  const shown = parts.slice(0, 4).map((name) => JSON.stringify(name.slice(0, 200)))
  const rest = parts.length > shown.length ? ` and ${parts.length - shown.length} more` : ''
  return new LlameroError(
    'ERR_UNSUPPORTED',
    `${what} is cut into ${parts.length} files (${shown.join(', ')}${rest}), and a split model is not joined while it is pulled. ` +
      'Choose another quantization, or download the files into a folder and make a model from it with llamero create, which joins them.',
    { details: { parts } },
  )
}

/** The names of all parts. */
export function splitNames({ prefix, count }: SplitFile): readonly string[] {
  const number = (value: number) => String(value).padStart(5, '0')
  return Array.from({ length: count }, (_, index) => `${prefix}-${number(index + 1)}-of-${number(count)}.gguf`)
}
