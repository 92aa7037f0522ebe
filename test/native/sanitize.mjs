#!/usr/bin/env node
// Builds the addon and llama.cpp with sanitizers and runs on them what is about memory, threads and teardown:
//   node test/native/sanitize.mjs address    AddressSanitizer and UBSan on the tests, LeakSanitizer on programs that end
//   node test/native/sanitize.mjs thread     ThreadSanitizer on tests of threads beside each other, and on the programs
// Names of tests behind it, such as "media sessions", run those alone; --programs runs the programs alone; --ours leaves
// llama.cpp as it is but for what reads templates, answers, schemas, images and sounds, and builds in a third of the
// time. Linux with g++. A first build takes some ten minutes of two cores; its tree, .cmake/asan or .cmake/tsan, is kept.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { activities } from './activities.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '..', '..')

/** Files of this folder, by what they have run. */
const tests = {
  engine: 'interleaving slices cancel parking delivery generation-cancel answer-end overflow prefix shift infill text',
  teardown: 'teardown workers closed-weights damaged-weights side-by-side token-ids',
  sessions: 'sessions session-interleaving session-crowd session-cache session-adapters',
  caches: 'memory-tier disk-tier cache-directory cache-types checkpoints',
  adapters: 'adapters speculation draft-model embed',
  chat: 'chat-template chat-families chat-tools template-limits template-mutants real-families forging hostile-vocabulary',
  grammars: 'grammar-agreement grammar-mask schema-text structured-output thinking sampler',
  media: 'media media-sessions media-requests media-chat hostile-media',
  memory: 'memory-need free-memory ../runtime/quantize',
}
const threaded = 'interleaving slices side-by-side session-interleaving media-requests disk-tier embed speculation'

const kinds = {
  address: {
    tree: 'asan',
    flags: 'address,undefined',
    runtimes: ['libasan.so', 'libubsan.so'],
    tests: Object.values(tests).join(' '),
  },
  thread: { tree: 'tsan', flags: 'thread', runtimes: ['libtsan.so'], tests: threaded },
}
const kind = kinds[process.argv[2]]
if (kind === undefined) throw new Error(`Say which: ${Object.keys(kinds).join(' or ')}.`)
const named = process.argv.slice(3).filter((argument) => !argument.startsWith('--'))

const directory = join(root, '.cmake', kind.tree, 'bin')
const folder = mkdtempSync(join(tmpdir(), 'llamero-sanitize-'))
const path = join(folder, 'scripted.gguf')
const failures = []

try {
  const build = join(root, 'native', 'build.mjs')
  const ours = process.argv.includes('--ours') ? 'ON' : 'OFF'
  const options = ['--tree', kind.tree, `-DLLAMERO_SANITIZE=${kind.flags}`, `-DLLAMERO_SANITIZE_OURS=${ours}`]
  must(process.execPath, [build, ...options, '-DLLAMERO_CPU_VARIANTS=OFF'])
  must('cmake', ['--build', join(root, '.cmake', kind.tree), '--target', 'kernel-check'])
  must(process.execPath, ['--import', 'tsx', join(here, 'write-scripted-model.ts'), path])
  if (!process.argv.includes('--programs')) (named.length > 0 ? named : kind.tests.split(' ')).forEach(test)
  if (named.length === 0) programs()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(failures.length === 0 ? 'No report.' : `Reports in: ${failures.join(', ')}`)
process.exitCode = failures.length === 0 ? 0 : 1

function test(name) {
  // vitest's own allocations would be reported as leaks.
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const patience = ['--testTimeout=900000', '--hookTimeout=900000', '--teardownTimeout=100000']
  check(name, [vitest, 'run', join('test', 'native', `${name}.test.ts`), ...patience], {
    LLAMERO_TEST_ADDON: directory,
    ASAN_OPTIONS: 'detect_leaks=0:quarantine_size_mb=64',
  })
}

/** What ends by itself must leave nothing behind; what exits in the middle of something may. */
function programs() {
  const program = (name, input) => [join(here, name), JSON.stringify({ directory, path, ...input })]
  // Node's own: 40 bytes of each handle that its environment outlived, and what is left of promises that never settle.
  const suppressions = join(folder, 'leaks.txt')
  writeFileSync(suppressions, 'leak:napi_create_external\nleak:napi_create_promise\n')
  const leaks = { ASAN_OPTIONS: 'detect_leaks=1', LSAN_OPTIONS: `suppressions=${suppressions}:print_suppressions=0` }
  const [module] = readdirSync(directory).filter((name) => name.includes('ggml-cpu'))
  check('kernels', [join(directory, module), '1', '300'], {}, join(directory, 'kernel-check'))
  check('operations', program('operations.mjs', {}), leaks)
  for (const onMain of [true, false])
    check(`worker ends, addon on main: ${onMain}`, program('worker-end.mjs', { onMain }), leaks)
  const rounds = { workers: 8, rounds: 3, terminations: 100, longestMs: 1000, seed: 1 }
  check('worker rounds', program('worker-rounds.mjs', rounds), leaks)
  for (const activity of Object.keys(activities)) {
    check(`end while ${activity}`, program('process-end.mjs', { activity, ending: 'nothing left to do' }), leaks)
  }
}

function check(name, args, environment, program = process.execPath) {
  const started = Date.now()
  const { status, signal, stdout, stderr } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    env: {
      ...process.env,
      LD_PRELOAD: kind.runtimes
        .map((runtime) =>
          execFileSync('gcc', [`-print-file-name=${runtime}`])
            .toString()
            .trim(),
        )
        .join(' '),
      UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
      TSAN_OPTIONS: 'ignore_noninstrumented_modules=1:second_deadlock_stack=1',
      ...environment,
    },
  })
  const passed = status === 0
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  if (passed) return
  failures.push(name)
  console.log(stdout, stderr, status ?? signal)
}

function must(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${args[0]} failed`)
}
