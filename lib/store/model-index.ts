import type { Dirent, Stats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { LlameroError } from '../errors.js'
import { systemCode } from './disk.js'
import { fileToName, manifestsDirectory } from './layout.js'
import { nameParts, sameName, sameText, type ModelName, type NamePart } from './name.js'

/** What was found in the folder of manifests. */
export interface ModelIndex {
  /** In no order. */
  readonly names: readonly ModelName[]
  /** Links to what cannot be reached now, perhaps on a disk that is not there: what they lead to may name blobs. */
  readonly unreachable: readonly string[]
}

/** The names of all manifests on disk, in no order; see {@link readIndex}. */
export async function storedNames(directory: string): Promise<readonly ModelName[]> {
  return (await readIndex(directory)).names
}

/**
 * Looks for manifests, also behind links, as Ollama does. Files that are in the wrong place, oddly named or no regular
 * files are passed over.
 */
export async function readIndex(directory: string): Promise<ModelIndex> {
  await requireFolder(directory)
  const index = { names: [], unreachable: [] }
  await walk(manifestsDirectory(directory), [], index)
  return index
}

/**
 * The spelling under which a name is stored. Names keep their case but are matched without it, each part on its own,
 * as Ollama does: what is not on disk yet still takes over the known spelling of its host or namespace.
 */
export function storedSpelling(name: ModelName, stored: readonly ModelName[]): ModelName {
  const whole =
    stored.find((other) => nameParts.every((part) => other[part] === name[part])) ??
    stored.find((other) => sameName(other, name))
  if (whole) return { ...whole, scheme: name.scheme }
  const known = (part: NamePart) => stored.find((other) => sameText(other[part], name[part]))?.[part] ?? name[part]
  return {
    scheme: name.scheme,
    host: known('host'),
    namespace: known('namespace'),
    model: known('model'),
    tag: known('tag'),
  }
}

/** A store that is not there yet has no models; a file in its place is a mistake in its path. */
export async function requireFolder(directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined)
  if (found === undefined || found.isDirectory()) return
  throw new LlameroError(
    'ERR_STORE',
    `The model store ${directory} is not a folder; name the folder of models, as LLAMERO_MODELS or modelsDirectory.`,
    { details: { directory } },
  )
}

interface GrowingIndex {
  readonly names: ModelName[]
  readonly unreachable: string[]
}

async function walk(folder: string, above: readonly string[], index: GrowingIndex): Promise<void> {
  const part = nameParts[above.length]
  if (part === undefined) return
  for (const entry of await entries(folder)) {
    const text = fileToName(part, entry.name)
    if (text === undefined) continue
    const path = join(folder, entry.name)
    const found = await behind(path, entry)
    if (found === undefined) index.unreachable.push(path)
    else if (part !== 'tag') {
      if (found.isDirectory()) await walk(path, [...above, text], index)
    } else if (found.isFile()) {
      const [host = '', namespace = '', model = ''] = above
      index.names.push({ scheme: 'https', host, namespace, model, tag: text })
    }
  }
}

async function entries(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) return []
    throw error
  }
}

// Both may be links (a part of the store on another disk); the fixed depth keeps cycles harmless.
async function behind(path: string, entry: Dirent): Promise<Dirent | Stats | undefined> {
  if (!entry.isSymbolicLink()) return entry
  return stat(path).catch(() => undefined)
}
