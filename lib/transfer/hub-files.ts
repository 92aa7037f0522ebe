import { LlameroError } from '../errors.js'
import type { HubReference } from './hub-reference.js'
import { splitFile, splitModel } from './split-file.js'

/** A file of a repository. */
export interface HubFile {
  readonly path: string
  readonly sizeBytes: number
  /** In hexadecimal digits; only files that are kept in LFS have one. */
  readonly sha256: string | undefined
}

/** What is taken from a repository. */
export interface HubChoice {
  readonly model: HubFile
  /** The images' part of a multimodal model. */
  readonly projector: HubFile | undefined
}

// As llama.cpp has it, so that the same text gives the same file there and here.
const usualQuantizations = ['q4_k_m', 'q8_0'] as const
const otherKinds = ['mmproj', 'imatrix', 'mtp-', 'eagle3-', 'dflash-', 'dspark-'] as const

/**
 * Chooses the model of a repository: the file or quantisation that is asked for (the case of letters does not count),
 * else Q4_K_M, else Q8_0, else the first; and the projector that lies nearest to it.
 * Errors: `ERR_MODEL_NOT_FOUND` with what there is to choose from, `ERR_UNSUPPORTED` for a model in several files.
 */
export function chooseFiles(files: readonly HubFile[], reference: HubReference): HubChoice {
  const models = files.filter(({ path }) => isModel(path))
  const { choice } = reference
  const model =
    choice === undefined
      ? (firstOf(models, usualQuantizations) ?? models[0])
      : (named(files, choice) ?? firstOf(models, [choice.toLowerCase()]))
  if (model === undefined) throw nothingFits(models, reference)
  const split = splitFile(model.path)
  if (split !== undefined) {
    const parts = files.filter(({ path }) => splitFile(path)?.prefix === split.prefix).map(({ path }) => path)
    throw splitModel(`This model of hf.co/${reference.owner}/${reference.repository}`, parts)
  }
  return { model, projector: nearestProjector(files, model.path) }
}

function isModel(path: string): boolean {
  const name = baseName(path)
  return name.endsWith('.gguf') && !otherKinds.some((kind) => name.includes(kind))
}

function named(files: readonly HubFile[], choice: string): HubFile | undefined {
  const wanted = choice.toLowerCase()
  const isGguf = ({ path }: HubFile) => path.toLowerCase().endsWith('.gguf')
  const spellings = (path: string) => [path, baseName(path), baseName(path).replace(/\.gguf$/, '')]
  return (
    files.find(({ path }) => path === choice) ??
    files.filter(isGguf).find(({ path }) => spellings(path.toLowerCase()).includes(wanted))
  )
}

function firstOf(models: readonly HubFile[], quantizations: readonly string[]): HubFile | undefined {
  for (const wanted of quantizations) {
    const found = models.find(({ path }) => hasWord(path.toLowerCase(), wanted))
    if (found !== undefined) return found
  }
  return undefined
}

/** Whether a quantisation stands in a path: `Q4_0` is not in `IQ4_0.gguf`, `Q4_K_XL` is in `UD-Q4_K_XL.gguf`. */
function hasWord(path: string, word: string): boolean {
  for (let at = path.indexOf(word); at >= 0; at = path.indexOf(word, at + 1)) {
    const before = path[at - 1] ?? '/'
    const after = path[at + word.length] ?? ''
    if (!/[a-z0-9_]/.test(before) && /[./-]/.test(after)) return true
  }
  return false
}

/** Of the projectors in the model's folder or one above it, the deepest; among those, the nearest in bits. */
function nearestProjector(files: readonly HubFile[], model: string): HubFile | undefined {
  const folder = (path: string) => path.slice(0, path.lastIndexOf('/') + 1)
  const bits = bitsOf(model)
  return files
    .filter(({ path }) => baseName(path).includes('mmproj') && baseName(path).endsWith('.gguf'))
    .filter(({ path }) => folder(model).startsWith(folder(path)) && path !== model)
    .map((file) => ({ file, depth: folder(file.path).length, distance: Math.abs(bitsOf(file.path) - bits) }))
    .sort((a, b) => b.depth - a.depth || a.distance - b.distance)[0]?.file
}

function bitsOf(path: string): number {
  const [, tag = ''] = /[-.]([a-z0-9_]+)\.gguf$/.exec(baseName(path)) ?? []
  return Number(/\d+/.exec(tag)?.[0] ?? 0)
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).toLowerCase()
}

function nothingFits(models: readonly HubFile[], { owner, repository, choice }: HubReference): LlameroError {
  const where = `hf.co/${owner}/${repository}`
  const names = models.slice(0, 20).map(({ path }) => JSON.stringify(path.slice(0, 200)))
  const rest = models.length > names.length ? ` and ${models.length - names.length} more` : ''
  const offer = names.length === 0 ? 'it holds no GGUF model at all' : `it holds ${names.join(', ')}${rest}`
  const wanted = choice === undefined ? 'a GGUF model' : JSON.stringify(choice.slice(0, 200))
  return new LlameroError(
    'ERR_MODEL_NOT_FOUND',
    `Expected ${wanted} in ${where}, but ${offer}. Choose as in ${where}:Q4_K_M or ${where}:file.gguf.`,
    { details: { model: where } },
  )
}
