import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LlameroError } from '../errors.js'
import { readWithoutWaiting } from '../store/index.js'

/** The files of a folder that a model is made from. */
export interface FolderContent {
  /** `gguf`: ready-made parts; `safetensors`: a model as Hugging Face lays it out, to be converted. */
  readonly format: 'gguf' | 'safetensors'
  /** Sorted, so that the parts of a split file come in their order. */
  readonly paths: readonly string[]
}

const formats = [
  { format: 'safetensors', pattern: /^[^.].*\.safetensors$/i },
  { format: 'gguf', pattern: /^[^.].*\.gguf$/i },
] as const

/**
 * What a folder holds; of several kinds the first of Ollama's order counts: safetensors before GGUF.
 * Errors: `ERR_MODEL_NOT_FOUND` for a folder without weights, `ERR_UNSUPPORTED` for pickled weights, `ERR_MODEL_INVALID`
 * for the pointer of a large file that git has not fetched.
 */
export async function readFolder(folder: string): Promise<FolderContent> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isFile() || entry.isSymbolicLink()).map(({ name }) => name)
  names.sort()
  const matching = (pattern: RegExp) => names.filter((name) => pattern.test(name)).map((name) => join(folder, name))
  for (const { format, pattern } of formats) {
    const paths = matching(pattern)
    if (paths.length === 0) continue
    for (const path of paths) await refusePointer(path)
    return { format, paths }
  }
  if (matching(/\.(bin|pth|pt)$/i).length > 0) {
    throw new LlameroError(
      'ERR_UNSUPPORTED',
      `The folder ${JSON.stringify(folder)} holds weights as PyTorch pickles them, which is code that would be run. Save the model as safetensors instead.`,
      { details: { path: folder } },
    )
  }
  throw new LlameroError(
    'ERR_MODEL_NOT_FOUND',
    `The folder ${JSON.stringify(folder)} holds no model: expected files that end in .safetensors or .gguf.`,
    { details: { path: folder } },
  )
}

/**
 * Throws `ERR_MODEL_INVALID` for what is no regular file, and for a text that git's large file storage left in the place
 * of one.
 */
export async function refusePointer(path: string): Promise<void> {
  // Not waiting: a pipe would never answer.
  const file = await open(path, readWithoutWaiting)
  try {
    if (!(await file.stat()).isFile())
      throw new LlameroError('ERR_MODEL_INVALID', `Expected ${JSON.stringify(path)} to be a regular file.`)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
    if (!buffer.toString('latin1', 0, bytesRead).startsWith('version https://git-lfs')) return
  } finally {
    await file.close()
  }
  throw new LlameroError(
    'ERR_MODEL_INVALID',
    `${JSON.stringify(path)} is only the pointer to a large file. Fetch the file itself with 'git lfs pull'.`,
    { details: { path } },
  )
}
