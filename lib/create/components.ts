import type { Recipe } from '../modelfile/index.js'
import type { CreateContext } from './add-file.js'
import { readBase, type BaseModel, type BasePullOptions } from './base-model.js'
import { contradiction } from './contradiction.js'
import { convertAdapterFolder, convertFolder } from './conversion.js'
import { readFolder, refusePointer } from './folder.js'
import { readPart, requireFit, type Part, type PartKind } from './part.js'
import { findFile, findSource, type Source } from './source-path.js'
import { withoutLaterParts } from './split-parts.js'

/** The large parts of a new model. There is a base or there are weights, never both. */
export interface Components {
  readonly base: BaseModel | undefined
  readonly weights: Part | undefined
  readonly adapter: Part | undefined
  readonly projectors: readonly Part[]
  readonly draft: Part | undefined
}

/** Finds and judges what `FROM`, `ADAPTER` and `DRAFT` name; nothing is copied yet. */
export async function gatherComponents(
  context: CreateContext,
  recipe: Recipe,
  pull: BasePullOptions,
): Promise<Components> {
  const { directory } = context
  const sources: Source[] = []
  for (const text of recipe.from) sources.push(await findSource(text, directory))
  const names = sources.flatMap((source) => (source.type === 'name' ? [source.text] : []))
  const { model: weights, adapter: adapters, projector: projectors } = sorted(await partsOf(context, sources))
  if (names.length + weights.length !== 1) throw contradiction(notOne(names, weights))
  const draft = await draftOf(context, recipe, weights)
  const [name] = names
  const base = name === undefined ? undefined : await readBase(context, name, pull)
  const model = base?.weights ?? weights[0]
  if (model !== undefined) {
    if (recipe.adapter !== undefined) adapters.push(...(await adaptersOf(context, recipe.adapter, model.path)))
    if (adapters.length > 1) throw contradiction('only one adapter is currently supported')
    for (const adapter of adapters) requireFit(adapter, model.header)
  }
  return { base, weights: weights[0], adapter: adapters[0], projectors, draft }
}

/** The parts in files and folders; what is laid out as at Hugging Face is converted. */
async function partsOf(context: CreateContext, sources: readonly Source[]): Promise<Part[]> {
  const { signal } = context
  const files: string[] = []
  const parts: Part[] = []
  for (const source of sources) {
    if (source.type === 'name') continue
    if (source.type === 'file') {
      await refusePointer(source.path)
      if (/\.safetensors$/i.test(source.path))
        throw contradiction(`${source.path} is one file of a model; name the folder that it lies in`)
      files.push(source.path)
      continue
    }
    const { format, paths } = await readFolder(source.path)
    if (format === 'gguf') files.push(...paths)
    else parts.push(await readPart(await convertFolder(context, source.path), signal, source.path))
  }
  for (const path of withoutLaterParts(files)) parts.push(await readPart(path, signal))
  return parts
}

async function adaptersOf(context: CreateContext, text: string, base: string): Promise<Part[]> {
  const source = await findFile('ADAPTER', text, context.directory)
  if (source.type !== 'folder' || (await readFolder(source.path)).format === 'gguf') return partsOf(context, [source])
  const converted = await convertAdapterFolder(context, source.path, base)
  return [await readPart(converted, context.signal, source.path)]
}

async function draftOf(
  context: CreateContext,
  { drafts }: Recipe,
  weights: readonly Part[],
): Promise<Part | undefined> {
  if (drafts.length > 1) throw contradiction('only one draft model is currently supported')
  const [text] = drafts
  if (text === undefined) return undefined
  const [draft, ...others] = await partsOf(context, [await findFile('DRAFT', text, context.directory)])
  if (draft?.kind !== 'model' || others.length > 0)
    throw contradiction(`DRAFT must name the weights of one model: ${text}`)
  if (weights.some(({ source }) => source === draft.source))
    throw contradiction(`DRAFT must not reference the same local path as FROM: ${draft.source}`)
  return draft
}

function sorted(parts: readonly Part[]): Record<PartKind, Part[]> {
  const kinds: Record<PartKind, Part[]> = { model: [], adapter: [], projector: [] }
  for (const part of parts) kinds[part.kind].push(part)
  return kinds
}

function notOne(names: readonly string[], weights: readonly Part[]): string {
  const found = [...names, ...weights.map(({ source }) => source)]
  if (found.length === 0) return 'FROM names no weights, only what goes with them; add a FROM with a model'
  return `FROM must name one model, but names ${found.length}: ${found.join(', ')}`
}
