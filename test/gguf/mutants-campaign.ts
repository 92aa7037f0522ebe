/**
 * Loads seeded mutants of the tiny models through the public API and generates four tokens where one loads:
 *
 *     npx tsx test/gguf/mutants-campaign.ts [count] [seed] [--no-probe] [--jobs=2]
 *
 * Prints one JSON object. With the probe, a dead process or an error of another class is a failure (exit code 1).
 * `--no-probe` counts what the validator alone lets through; deaths there are its gaps, kept from users by the probe.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LlameroError } from '../../lib/errors.js'
import { randomArchitectures, randomModel } from '../support/random-model.js'
import { scriptedModel } from '../support/scripted-model.js'
import { mutate } from './mutants.js'

interface Task {
  readonly seeds: readonly number[]
  readonly probe: boolean
}

/** What became of a mutant: the code of its error, `generated`, `loaded` (no text model), or what must not be. */
interface Outcome {
  readonly seed: number
  readonly result: string
  /** The end of what a dead child wrote. */
  readonly complaint?: string
}

const bases = [scriptedModel(), ...randomArchitectures.map((architecture) => randomModel(architecture, { layers: 1 }))]
const hangMs = 60_000

/** The mutant of a seed: the base goes round with it. */
function mutant(seed: number): Uint8Array {
  return mutate(bases[seed % bases.length] ?? new Uint8Array(), seed)
}

async function tryMutant(path: string, probe: boolean, probeDirectory: string): Promise<string> {
  const { load } = await import('../../lib/index.js')
  try {
    const model = await load(path, { probe, probeDirectory, contextSize: 256, parallel: 1, threads: 1 })
    try {
      if (!model.info.canGenerate) return 'loaded'
      await model.generate('Hello K3', { maxTokens: 4, temperature: 0 })
      return 'generated'
    } finally {
      await model.close()
    }
  } catch (error) {
    return error instanceof LlameroError ? error.code : `foreign: ${String(error)}`
  }
}

async function work({ seeds, probe }: Task): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'llamero-mutants-'))
  const path = join(directory, 'mutant.gguf')
  for (const seed of seeds) {
    await writeFile(path, mutant(seed))
    process.send?.({ seed, result: 'begun' } satisfies Outcome)
    process.send?.({ seed, result: await tryMutant(path, probe, directory) } satisfies Outcome)
  }
  rmSync(directory, { recursive: true, force: true })
  process.disconnect()
}

/** Runs the seeds in a child, in a new one after each death, and reports each outcome once. */
async function campaign(seeds: readonly number[], probe: boolean, report: (outcome: Outcome) => void): Promise<void> {
  let rest = seeds
  while (rest.length > 0) {
    const child = fork(fileURLToPath(import.meta.url), ['--child'], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    child.send({ seeds: rest, probe } satisfies Task)
    let complaint = ''
    child.stderr?.on('data', (text: Buffer) => (complaint = (complaint + text.toString()).slice(-2000)))
    const { done, running } = await follow(child, report)
    if (running !== undefined) {
      report({ seed: running, result: `died: ${child.signalCode ?? `exit code ${child.exitCode}`}`, complaint })
    } else if (done === 0) throw new Error(`the child could not work: ${complaint}`)
    rest = rest.slice(done + (running === undefined ? 0 : 1))
  }
}

async function follow(child: ChildProcess, report: (outcome: Outcome) => void) {
  let done = 0
  let running: number | undefined
  let watch = setTimeout(() => child.kill('SIGKILL'), hangMs)
  child.on('message', ({ seed, result }: Outcome) => {
    clearTimeout(watch)
    watch = setTimeout(() => child.kill('SIGKILL'), hangMs)
    running = result === 'begun' ? seed : undefined
    if (result === 'begun') return
    done++
    report({ seed, result })
  })
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(watch)
  return { done, running }
}

async function main(): Promise<void> {
  const numbers = process.argv.slice(2).filter((argument) => /^\d+$/.test(argument))
  const [count = 10_000, first = 1] = numbers.map(Number)
  const probe = !process.argv.includes('--no-probe')
  const jobs = Number(process.argv.find((argument) => argument.startsWith('--jobs='))?.slice(7) ?? 2)
  const counts: Record<string, number> = {}
  const bad: Outcome[] = []
  const begin = performance.now()
  const lists = Array.from({ length: jobs }, (_, job) =>
    Array.from({ length: count }, (_, index) => first + index).filter((seed) => seed % jobs === job),
  )
  await Promise.all(
    lists.map((seeds) =>
      campaign(seeds, probe, (outcome) => {
        counts[outcome.result] = (counts[outcome.result] ?? 0) + 1
        if (/^(died|foreign)/.test(outcome.result) || outcome.result === 'ERR_INTERNAL') bad.push(outcome)
      }),
    ),
  )
  const seconds = Math.round((performance.now() - begin) / 100) / 10
  console.log(JSON.stringify({ count, first, probe, seconds, counts, bad: bad.slice(0, 100) }, undefined, 2))
  if (probe && bad.length > 0) process.exitCode = 1
}

if (process.argv.includes('--child')) process.once('message', (task: Task) => void work(task))
else await main()
