import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSource, repository, sourceFiles } from './source-file.js'

const words = (text: string): string => text.replace(/^(\/\/| \*)/gm, '').replace(/[\s"“”'`*-]+/g, ' ')
const notices = words(readSource('THIRD_PARTY_NOTICES.md'))
const vendor = 'llama.cpp/source/vendor'

/** What a build of ours compiles, and the file that holds its notice. */
const sources = [
  'llama.cpp/source/LICENSE',
  'llama.cpp/source/licenses/LICENSE-jsonhpp',
  'llama.cpp/source/ggml/src/ggml-cpu/llamafile/sgemm.cpp',
  `${vendor}/cpp-httplib/LICENSE`,
  `${vendor}/hash/rotate-bits/LICENSE.md`,
  `${vendor}/hash/xxhash/LICENSE`,
  `${vendor}/miniaudio/miniaudio.h`,
  `${vendor}/sheredom/subprocess.h`,
  `${vendor}/stb/stb_image.h`,
]

// The sources are restored by the build, which the fast checks do without.
describe.runIf(existsSync(join(repository, vendor)))('THIRD_PARTY_NOTICES.md', () => {
  it.each(sources)('has the copyright line of %s', (path) => {
    const lines = readSource(path).match(/^[ \t*/]*Copyright (\(c\) )?\d{4}.*$/gim) ?? []
    const missing = lines.map((line) => words(line).trim()).filter((line) => !notices.includes(line))
    expect(missing).toEqual([])
  })

  it.each(sources.filter((path) => path.includes('LICENSE')))('has the terms of %s', (path) => {
    const terms = /(Permission is|Redistribution and)[\s\S]*/.exec(readSource(path))?.[0] ?? ''
    expect(terms).not.toBe('')
    expect(notices).toContain(words(terms).trim())
  })

  it('knows every vendored library', () => {
    const known = [
      'cpp-httplib',
      'hash/rotate-bits',
      'hash/sha1',
      'hash/sha256',
      'hash/xxhash',
      'miniaudio',
      'nlohmann',
      'sheredom',
      'stb',
    ]
    const found = sourceFiles([vendor], /\.(c|h|cpp|hpp)$/).map(({ path }) =>
      path.slice(vendor.length + 1).replace(/\/[^/]*$/, ''),
    )
    expect([...new Set(found)].filter((name) => name !== 'hash').sort()).toEqual(known)
  })
})

describe('packages that are installed with ours', () => {
  interface LockEntry {
    readonly dev?: boolean
    readonly license?: string
  }
  const { packages } = JSON.parse(readSource('package-lock.json')) as { packages: Record<string, LockEntry> }
  const installed = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true)

  it.each(installed)('%s has a licence that allows it, and is named in the notices', (path, { license }) => {
    const name = path.replace('node_modules/', '')
    expect(['MIT', 'Apache-2.0']).toContain(license)
    const named = [...readSource('THIRD_PARTY_NOTICES.md').matchAll(/`([@/a-z0-9-]+\*?)`/g)].map(
      (match) => match[1] ?? '',
    )
    expect(named.some((one) => one === name || (one.endsWith('*') && name.startsWith(one.slice(0, -1))))).toBe(true)
  })
})
