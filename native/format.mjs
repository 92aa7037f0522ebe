#!/usr/bin/env node
// Formats native/ with clang-format; `--check` only reports. Without clang-format 14 a check is skipped with a note,
// since other versions lay out some lines differently.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const wanted = '14'
const howToGetIt =
  `Install it with your system's packages (Debian 12: apt-get install clang-format) or with Python's ` +
  `(pip install 'clang-format==${wanted}.*'), then repeat.`
const check = process.argv.includes('--check')
const root = dirname(fileURLToPath(import.meta.url))
const files = readdirSync(root, { recursive: true })
  .filter((name) => /\.(cc|h)$/.test(name))
  .map((name) => join(root, name))

const version = /version (\d+)/.exec(spawnSync('clang-format', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1]
if (version !== wanted) {
  const found = version === undefined ? 'is not installed' : `${version} was found`
  console.error(
    `clang-format ${wanted} is needed to ${check ? 'check' : 'format'} native/, but it ${found}. ${howToGetIt}`,
  )
  process.exit(check ? 0 : 1)
}
const { status, error } = spawnSync('clang-format', [...(check ? ['--dry-run', '-Werror'] : ['-i']), ...files], {
  stdio: 'inherit',
})
if (error) throw error
if (status !== 0) console.error(`clang-format would change native/; 'npm run format:native' does it.`)
process.exitCode = status ?? 1
