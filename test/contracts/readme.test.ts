import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSource, repository, sourceFiles } from './source-file.js'

const readme = readSource('README.md')
const topLevel = ['native/', 'llama.cpp/', 'test/', 'bench/']

function roomsOf(map: string): string[] {
  return [...map.matchAll(/^\| `([\w./-]+)` \|/gm)].map((match) => match[1] ?? '').sort()
}

function roomsOnDisk(): string[] {
  const lib = sourceFiles(['lib'], /\.ts$/)
    .map(({ path }) => path.split('/'))
    .filter(([, first = '']) => !/^(index|.*-types)\.ts$/.test(first))
    .map(([, first = '', ...rest]) => (rest.length > 0 ? `lib/${first}/` : `lib/${first}`))
  return [...new Set([...lib, ...topLevel])].sort()
}

function brokenLinks(path: string, text: string): string[] {
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)]
    .map((match) => match[1] ?? '')
    .filter((target) => !existsSync(join(repository, dirname(path), target)))
}

function testCommand(text: string): string | undefined {
  return /^(npm ci && .*npm test)(?= \|\| exit$|$)/m.exec(text)?.[1]
}

describe('README.md', () => {
  it('names every room of the sources and no other', () => {
    expect(roomsOf(readme)).toEqual(roomsOnDisk())
  })

  it('has the test command that .ci/run runs', () => {
    expect(testCommand(readme)).toBeDefined()
    expect(testCommand(readSource('.ci/run'))).toBe(testCommand(readme))
  })

  it('names only scripts that exist', () => {
    const { scripts } = JSON.parse(readSource('package.json')) as { scripts: Record<string, string> }
    const named = ['README.md', 'CONTRIBUTING.md', '.ci/run', 'llama.cpp/README.md', 'docs/errors.md'].flatMap((path) =>
      [...readSource(path).matchAll(/\bnpm (?:run ([\w:]+)|(test)\b)/g)].map((match) => match[1] ?? match[2] ?? ''),
    )
    expect([...new Set(named)].filter((name) => !(name in scripts))).toEqual([])
  })

  it('has an entry in the table of commands for each that the program registers', () => {
    const registered = sourceFiles(['lib/cli'], /\.ts$/).flatMap(({ text }) =>
      [...text.matchAll(/\b(?:add|command)\('(\w+)/g)].map((match) => match[1]),
    )
    expect(registered.length).toBeGreaterThan(0)
    const missing = registered.filter((name) => !readme.includes(`| \`llamero ${name ?? ''}`))
    expect(missing).toEqual([])
  })
})

describe('links', () => {
  it.each(
    sourceFiles(
      ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'THIRD_PARTY_NOTICES.md', 'docs', 'llama.cpp/README.md'],
      /\.md$/,
    ),
  )('of $path lead somewhere', ({ path, text }) => expect(brokenLinks(path, text)).toEqual([]))

  it('that lead nowhere are noticed', () => {
    expect(brokenLinks('docs/errors.md', '[here](errors.md) [there](nothing.md)')).toEqual(['nothing.md'])
  })
})
