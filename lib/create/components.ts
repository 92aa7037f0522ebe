import type { Recipe } from '../modelfile/index.js'
import type { CreateContext } from './add-file.js'
import { readBase, type BaseModel, type BasePullOptions } from './base-model.js'
import { contradiction } from './contradiction.js'
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
  const { directory, signal } = context
  const sources: Source[] = []
  for (const text of recipe.from) sources.push(await findSource(text, directory))
  const names = sources.flatMap((source) => (source.type === 'name' ? [source.text] : []))
  const parts: Part[] = []
  for (const path of await filesOf(sources)) parts.push(await readPart(path, signal))
  const { model: weights, adapter: adapters, projector: projectors } = sorted(parts)
  if (recipe.adapter !== undefined) {
    const source = await findFile('ADAPTER', recipe.adapter, directory)
    for (const path of await filesOf([source])) adapters.push(await readPart(path, signal))
  }
  if (names.length + weights.length !== 1) throw contradiction(notOne(names, weights))
  if (adapters.length > 1) throw contradiction('only one adapter is currently supported')
  const draft = await draftOf(context, recipe, weights)
  const [name] = names
  const base = name === undefined ? undefined : await readBase(context, name, pull)
  const { header } = base?.weights ?? weights[0] ?? {}
  if (header !== undefined) for (const adapter of adapters) requireFit(adapter, header)
  return { base, weights: weights[0], adapter: adapters[0], projectors, draft }
}

async function filesOf(sources: readonly Source[]): Promise<string[]> {
  const paths: string[] = []
  for (const source of sources) {
    if (source.type === 'name') continue
    if (source.type === 'file') await refusePointer(source.path)
    paths.push(...(source.type === 'file' ? [source.path] : (await readFolder(source.path)).paths))
  }
  return withoutLaterParts(paths)
}

async function draftOf(
  { directory, signal }: CreateContext,
  { drafts }: Recipe,
  weights: readonly Part[],
): Promise<Part | undefined> {
  if (drafts.length > 1) throw contradiction('only one draft model is currently supported')
  const [text] = drafts
  if (text === undefined) return undefined
  const [path, ...others] = await filesOf([await findFile('DRAFT', text, directory)])
  if (path === undefined || others.length > 0) throw contradiction('only one draft model is currently supported')
  if (weights.some((part) => part.path === path))
    throw contradiction(`DRAFT must not reference the same local path as FROM: ${path}`)
  return readPart(path, signal)
}

function sorted(parts: readonly Part[]): Record<PartKind, Part[]> {
  const kinds: Record<PartKind, Part[]> = { model: [], adapter: [], projector: [] }
  for (const part of parts) kinds[part.kind].push(part)
  return kinds
}

function notOne(names: readonly string[], weights: readonly Part[]): string {
  const found = [...names, ...weights.map(({ path }) => path)]
  if (found.length === 0) return 'FROM names no weights, only what goes with them; add a FROM with a model'
  return `FROM must name one model, but names ${found.length}: ${found.join(', ')}`
}
