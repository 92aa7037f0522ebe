#!/usr/bin/env node
// Compiles our kernels for ARM, runs them under emulation, and compares them as test/native/kernels.test.ts does:
//   node test/native/cross-check.mjs [CASES] [SEED] [VARIANT …]
// CASES, 300 unless said otherwise, for each VARIANT of the table below. Needs a cross compiler and an emulator:
// apt-get install g++-aarch64-linux-gnu qemu-user-static. Its trees, .cmake/aarch64-VARIANT, are kept.
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const compiler = 'aarch64-linux-gnu'
const emulator = 'qemu-aarch64-static'

/** As ggml's variants for Linux on ARM, each on a processor that has no instruction more, where one is emulated. */
const variants = {
  'armv8.0': { architecture: 'armv8-a', processor: 'cortex-a57' },
  'armv8.2': { architecture: 'armv8.2-a+dotprod+fp16', processor: 'cortex-a76' },
  'armv8.6': { architecture: 'armv8.6-a+dotprod+fp16+sve+i8mm+sve2', processor: 'max' },
}

const [cases = '300', seed = '1', ...named] = process.argv.slice(2)
const unknown = named.filter((name) => !(name in variants))
if (unknown.length > 0)
  throw new Error(`No variant ${unknown.join(', ')}; there are ${Object.keys(variants).join(', ')}.`)
for (const tool of [`${compiler}-g++`, emulator, 'cmake']) {
  if (spawnSync(tool, ['--version']).status === 0) continue
  throw new Error(`'${tool}' does not run; try 'apt-get install g++-${compiler} qemu-user-static cmake'.`)
}

must(process.execPath, [join(root, 'llama.cpp', 'restore.mjs')])
const chosen = named.length > 0 ? named : Object.keys(variants)
chosen.forEach(build)
const failures = chosen.filter((name) => !passes(name))
console.log(failures.length === 0 ? 'As exact as upstream.' : `Worse than upstream or broken: ${failures.join(', ')}`)
process.exitCode = failures.length === 0 ? 0 : 1

function passes(name) {
  const products = join(treeOf(name), 'bin')
  const started = Date.now()
  const { status, signal, stdout, stderr } = spawnSync(
    emulator,
    [
      ...['-cpu', variants[name].processor, '-L', `/usr/${compiler}`],
      ...[join(products, 'kernel-check'), join(products, 'libggml-cpu.so'), seed, cases],
    ],
    { encoding: 'utf8' },
  )
  const passed = status === 0 && isSound(JSON.parse(stdout))
  console.log(
    `${passed ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s) ${stdout.trim()}`,
  )
  if (!passed) console.log(stderr, status ?? signal)
  return passed
}

/** Half of the cases differ from upstream, in the last bits at least; where none does, ours did not run. */
function isSound({ cases: done, differing, worse }) {
  return done === Number(cases) && differing > done / 3 && worse.length === 0
}

/** Only what the check needs: ggml, one CPU module and the program. */
function build(name) {
  const tree = treeOf(name)
  const definitions = {
    CMAKE_SYSTEM_NAME: 'Linux',
    CMAKE_SYSTEM_PROCESSOR: 'aarch64',
    CMAKE_C_COMPILER: `${compiler}-gcc`,
    CMAKE_CXX_COMPILER: `${compiler}-g++`,
    LLAMERO_CPU_VARIANTS: 'OFF',
    GGML_CPU_ARM_ARCH: variants[name].architecture,
  }
  const options = Object.entries(definitions).map(([key, value]) => `-D${key}=${value}`)
  must('cmake', ['-S', root, '-B', tree, '--log-level=ERROR', ...options])
  must('cmake', ['--build', tree, '--target', 'kernel-check', '--parallel', String(availableParallelism())])
}

function treeOf(name) {
  return join(root, '.cmake', `aarch64-${name}`)
}

function must(command, args) {
  // Absolute paths would make each checkout miss ccache.
  const env = { CCACHE_BASEDIR: root, ...process.env }
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], env })
  if (status !== 0) throw new Error(`${command} ${args[0]} failed`)
}
