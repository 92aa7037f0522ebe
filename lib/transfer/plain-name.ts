import { createHash } from 'node:crypto'

/** A text as it may stand in a part of a model's name: other characters become `-`. */
export function plainText(text: string, mostCharacters: number): string {
  return text.replace(/[^A-Za-z0-9_.-]/g, '-').slice(0, mostCharacters)
}

/** What a file is called, without folders and extension, as it may stand in a name. */
export function plainStem(path: string): string {
  const stem = path
    .replace(/^.*[/\\]/, '')
    .replace(/\.gguf$/i, '')
    .replace(/[^A-Za-z0-9_.-]/g, '-')
    .replace(/^[^A-Za-z0-9_]+/, '')
  return stem.slice(0, 80) || 'model'
}

/** Twelve digits that keep texts apart which look alike once they fit into a name. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
