import { stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LlameroError } from '../errors.js'

/** What an instruction such as `FROM` names: something on this disk, or else the name of a model. */
export type Source =
  { readonly type: 'file' | 'folder'; readonly path: string } | { readonly type: 'name'; readonly text: string }

/**
 * Looks for what a Modelfile names, as Ollama does: whatever exists on disk is that, everything else is a name. What can
 * only be a path and is not there is refused, instead of being asked for at a registry.
 *
 * @param directory where relative paths start
 * Errors: `ERR_MODEL_NOT_FOUND` for a path that is not there.
 */
export async function findSource(text: string, directory: string): Promise<Source> {
  const path = pathOf(text, directory)
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile()) return { type: 'file', path }
  if (found?.isDirectory()) return { type: 'folder', path }
  if (found === undefined && !canOnlyBePath(text)) return { type: 'name', text }
  throw new LlameroError(
    'ERR_MODEL_NOT_FOUND',
    found === undefined
      ? `There is no file or folder ${JSON.stringify(path)}; relative paths start at ${JSON.stringify(directory)}.`
      : `Expected ${JSON.stringify(path)} to be a file or a folder.`,
    { details: { path } },
  )
}

/** The file that an instruction such as `ADAPTER` names; a name of a model is refused. */
export async function findFile(instruction: string, text: string, directory: string): Promise<Source> {
  const source = await findSource(text, directory)
  if (source.type !== 'name') return source
  throw new LlameroError(
    'ERR_MODEL_NOT_FOUND',
    `${instruction} names ${JSON.stringify(text)}, but there is no such file; relative paths start at ${JSON.stringify(directory)}.`,
    { details: { path: resolve(directory, text) } },
  )
}

function pathOf(text: string, directory: string): string {
  if (/^file:\/\//i.test(text)) return fileURLToPath(text)
  if (text === '~' || /^~[/\\]/.test(text)) return resolve(homedir(), text.slice(2))
  return resolve(directory, text)
}

function canOnlyBePath(text: string): boolean {
  return /^(\.{1,2}([/\\]|$)|[/\\]|~|[A-Za-z]:[/\\]|file:\/\/)/i.test(text) || /\.(gguf|safetensors|bin)$/i.test(text)
}
