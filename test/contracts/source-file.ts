import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

/** A file of this repository; the path is relative to its root, with forward slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

export const repository = fileURLToPath(new URL('../../', import.meta.url))

/** The text files under the given files and folders whose names match. */
export function sourceFiles(roots: readonly string[], pattern: RegExp): SourceFile[] {
  return roots
    .filter((root) => existsSync(join(repository, root)))
    .flatMap((root) => (statSync(join(repository, root)).isDirectory() ? filesBelow(root) : [root]))
    .filter((path) => pattern.test(path))
    .map((path) => ({ path, text: readFileSync(join(repository, path), 'utf8') }))
}

export function readSource(path: string): string {
  return readFileSync(join(repository, path), 'utf8')
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(repository.length).replaceAll('\\', '/'))
    .filter((path) => !/^(docs\/api|bench\/results)\//.test(path))
}

/** Code only: what a comment says breaks no rule. */
export function withoutComments({ path, text }: SourceFile): string {
  if (/\.(cc|h|cpp|c)$/.test(path)) {
    return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"/g, (match) =>
      match.startsWith('"') ? match : ' ',
    )
  }
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext)
  return ts.createPrinter({ removeComments: true }).printFile(file)
}

/** Everything that a pattern finds in the code of some files, as `path: match`. */
export function findings(files: readonly SourceFile[], pattern: RegExp, text = withoutComments): string[] {
  return files.flatMap((file) => [...text(file).matchAll(pattern)].map((match) => `${file.path}: ${match[0].trim()}`))
}

export interface Contract {
  readonly files: readonly SourceFile[]
  /** What breaks the rule, one line each. */
  readonly breaches: (files: readonly SourceFile[]) => readonly string[]
  /** Files that would break it, as [path, text]: each is tried alone, so that the check is seen to fail. */
  readonly breaks: readonly (readonly [path: string, text: string])[]
  /** Files that look like breaches and are none. */
  readonly keeps?: readonly (readonly [path: string, text: string])[]
}

/** One rule: the sources keep it, and the check notices when they do not. */
export function contract(rule: string, { files, breaches, breaks, keeps = [] }: Contract): void {
  describe(rule, () => {
    it('holds', () => {
      expect(files.length).toBeGreaterThan(0)
      expect(breaches(files)).toEqual([])
    })
    it.each(breaks)('notices a breach in %s: %s', (path, text) => expect(breaches([{ path, text }])).not.toEqual([]))
    if (keeps.length > 0)
      it.each(keeps)('lets %s pass: %s', (path, text) => expect(breaches([{ path, text }])).toEqual([]))
  })
}
