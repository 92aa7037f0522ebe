import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from './disk.js'
import { fileToName, manifestsDirectory } from './layout.js'
import { nameParts, sameName, sameText, type ModelName, type NamePart } from './name.js'

/**
 * The names of all manifests on disk, in no order. Files that are in the wrong place, oddly named or no regular files
 * are passed over.
 */
export async function storedNames(directory: string): Promise<ModelName[]> {
  const names: ModelName[] = []
  await walk(manifestsDirectory(directory), [], names)
  return names
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

async function walk(folder: string, above: readonly string[], names: ModelName[]): Promise<void> {
  const part = nameParts[above.length]
  if (part === undefined) return
  for (const entry of await entries(folder)) {
    const text = fileToName(part, entry.name)
    if (text === undefined) continue
    if (part !== 'tag') {
      if (await isFolder(folder, entry)) await walk(join(folder, entry.name), [...above, text], names)
    } else if (entry.isFile()) {
      const [host = '', namespace = '', model = ''] = above
      names.push({ scheme: 'https', host, namespace, model, tag: text })
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

// Folders may be links (a part of the store on another disk); the fixed depth keeps cycles harmless.
async function isFolder(folder: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory()
  return stat(join(folder, entry.name)).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
