import { dirname, join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { readSource, repository, sourceFiles, type SourceFile } from './source-file.js'

const { exports: entries } = JSON.parse(readSource('package.json')) as { exports: Record<string, { default: string }> }

/** What readers will import as `llamero`, before anything is built. */
function fromSource(text: string): string {
  return text.replace(/(from ')llamero(\/\w+)?(?=')/g, (whole, start: string, subpath = '') => {
    const entry = entries[`.${String(subpath)}`]?.default
    return entry === undefined ? whole : `${start}${entry.replace('./dist', '../lib')}`
  })
}

function codeBlocks({ path, text }: SourceFile): SourceFile[] {
  const name = path.replace(/\W+/g, '-')
  return [...text.matchAll(/^```(ts|js)\n([\s\S]*?)^```$/gm)].map(([, language = '', code = ''], index) => ({
    path: `examples/${name}-${String(index + 1)}.${language === 'ts' ? 'mts' : 'mjs'}`,
    text: fromSource(code),
  }))
}

function complaints(files: readonly SourceFile[]): string[] {
  const config = ts.readConfigFile(join(repository, 'tsconfig.json'), (path) => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, repository)
  const checked = { ...options, allowJs: true, checkJs: true, noUnusedLocals: false, noUnusedParameters: false }
  const texts = new Map(files.map(({ path, text }) => [join(repository, path), `${text}\nexport {}\n`]))
  const host = ts.createCompilerHost(checked)
  const readFile = (path: string): string | undefined => texts.get(path) ?? ts.sys.readFile(path)
  const program = ts.createProgram([...texts.keys()], checked, {
    ...host,
    readFile,
    fileExists: (path) => texts.has(path) || ts.sys.fileExists(path),
    getSourceFile: (path, target) => {
      const text = readFile(path)
      return text === undefined ? undefined : ts.createSourceFile(path, text, target)
    },
  })
  return ts
    .getPreEmitDiagnostics(program)
    .flatMap(({ file, messageText }) =>
      file === undefined || dirname(file.fileName) === join(repository, 'examples')
        ? [`${file?.fileName.slice(repository.length) ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`]
        : [],
    )
}

const scripts = sourceFiles(['examples'], /\.mjs$/).map(({ path, text }) => ({ path, text: fromSource(text) }))
const blocks = sourceFiles(['README.md', 'docs'], /\.md$/).flatMap(codeBlocks)

describe('examples', () => {
  it('fit the public interface, in files and in code blocks', () => {
    expect(scripts.length).toBeGreaterThan(0)
    expect(blocks.length).toBeGreaterThan(0)
    expect(complaints([...scripts, ...blocks])).toEqual([])
  })

  it('that do not fit are noticed', () => {
    const wrong = { path: 'examples/wrong.mts', text: fromSource(`import { lode } from 'llamero/gguf'\nlode(1)`) }
    expect(complaints([wrong])).not.toEqual([])
  })
})
