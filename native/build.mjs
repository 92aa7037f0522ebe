#!/usr/bin/env node
// Builds the addon with CMake and lays the products in build/Release. Usage:
//   node native/build.mjs [--peers] [--tree NAME] [-DNAME=VALUE …]
// --peers also builds llama.cpp's own tools into the tree; --tree names another CMake tree (.cmake/NAME, not copied to
// build/Release); -D passes options on, as -DGGML_CUDA=ON. Arguments that node-gyp or prebuildify add are ignored.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const args = process.argv.slice(2)
const treeName = args.includes('--tree') ? args[args.indexOf('--tree') + 1] : 'release'
const tree = join(root, '.cmake', treeName)
const products = join(root, 'build', 'Release')

requireTool('cmake', 'CMake 3.18 or newer', 'apt-get install cmake')
requireTool(process.env.CXX ?? 'c++', 'a C++20 compiler', 'apt-get install g++')
execute(process.execPath, [join(root, 'llama.cpp', 'restore.mjs')])
const options = args.filter((arg) => arg.startsWith('-D')).map((arg) => `--CD${arg.slice(2)}`)
cmakeJs('configure', ...options)
cmakeJs('build')
if (args.includes('--peers')) cmakeJs('build', '--target', 'llamero-peers')
if (treeName === 'release') layProducts()

function cmakeJs(command, ...more) {
  const script = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js')
  const jobs = String(availableParallelism())
  execute(process.execPath, [script, command, '-d', root, '-O', tree, '-p', jobs, '--log-level', 'error', ...more])
}

/** Copies what changed: build/Release may have been wiped by node-gyp, the tree never is. */
function layProducts() {
  const from = join(tree, 'bin')
  mkdirSync(products, { recursive: true })
  const names = readdirSync(from).filter((name) => /\.(node|so|dylib|dll)$/.test(name))
  for (const name of readdirSync(products)) if (!names.includes(name)) rmSync(join(products, name), { recursive: true })
  cpSync(join(from, 'templates'), join(products, 'templates'), { recursive: true })
  for (const name of names) {
    const source = statSync(join(from, name))
    const copy = join(products, name)
    const current = existsSync(copy) ? statSync(copy) : undefined
    if (current?.size === source.size && current.mtimeMs === source.mtimeMs) continue
    rmSync(copy, { force: true }) // a new inode: a process that runs the old one keeps it
    cpSync(join(from, name), copy, { preserveTimestamps: true })
  }
}

function execute(command, commandArgs) {
  // Absolute paths would make each checkout miss ccache; MAKEFLAGS is gyp's and not meant for our make.
  const environment = { CCACHE_BASEDIR: root, ...process.env, MAKEFLAGS: '' }
  const { status, error } = spawnSync(command, commandArgs, { stdio: 'inherit', cwd: root, env: environment })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

function requireTool(command, what, example) {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' })
  } catch {
    console.error(
      `llamero's native part needs ${what}, but '${command}' does not run. Install it (for example: ${example}) and repeat.`,
    )
    process.exit(1)
  }
}
