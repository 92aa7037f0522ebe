import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import os from 'node:os'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { backendReport, llameroVersion } from '../lib/native.js'
import { bestModule, kernels } from './computing.js'
import { sleep } from './measure.js'
import { threads } from './scenario.js'

/** What figures were measured on: without it they are a rumour. */
export interface Conditions {
  readonly date: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly llamero: string
  readonly commit: string
  readonly llamaCpp: string
  readonly cpuModule: string
  /** The module that llamero takes by itself here. */
  readonly bestModule: string
  /** Whose kernels llamero takes in that module; llama.cpp's tools take upstream's. */
  readonly kernels: 'llamero' | 'upstream'
  readonly threads: number
  readonly model: string
  readonly modelBytes: number
  /** Cores that others kept busy while nothing was measured. */
  readonly busyCores: number
  readonly loadAverage: readonly number[]
}

export async function conditions(modelPath: string): Promise<Conditions> {
  const { llamaTag, cpuModule } = backendReport()
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
    llamero: llameroVersion,
    commit: commit(),
    llamaCpp: llamaTag,
    cpuModule,
    bestModule: bestModule(),
    kernels: kernels(),
    threads,
    model: basename(modelPath),
    modelBytes: statSync(modelPath).size,
    busyCores: await busyCores(),
    loadAverage: os.loadavg(),
  }
}

export function describe(c: Conditions): string {
  return [
    `${c.cpu}, ${c.cores} cores, ${c.memoryGiB} GiB, ${c.system}, node ${c.node}`,
    `llamero ${c.llamero} (${c.commit}), llama.cpp ${c.llamaCpp}, CPU module ${moduleOf(c)}, ${c.kernels}'s kernels, ${c.threads} threads`,
    `model ${c.model}, ${c.modelBytes} bytes; ${quietness(c.busyCores)}, load ${c.loadAverage[0]?.toFixed(2) ?? '?'}`,
  ].join('\n')
}

function moduleOf({ cpuModule, bestModule }: Conditions): string {
  return cpuModule === bestModule ? cpuModule : `${cpuModule} (forced on both sides; the best here is ${bestModule})`
}

export function quietness(busy: number): string {
  const figure = `${busy.toFixed(2)} cores busy before the start`
  return busy > 0.2 ? `NOT QUIET: ${figure}; ratios may mislead` : figure
}

/** How many cores are busy over half a second of doing nothing. */
export async function busyCores(): Promise<number> {
  const read = (): { busy: number; all: number } => {
    const times = os.cpus().map((cpu) => cpu.times)
    const all = times.reduce((sum, t) => sum + t.user + t.nice + t.sys + t.idle + t.irq, 0)
    return { busy: all - times.reduce((sum, t) => sum + t.idle, 0), all }
  }
  const before = read()
  await sleep(500)
  const after = read()
  return (os.cpus().length * (after.busy - before.busy)) / Math.max(1, after.all - before.all)
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  try {
    const changed = git('status', '--porcelain', '--', 'lib', 'native', 'CMakeLists.txt') !== ''
    return git('rev-parse', '--short', 'HEAD') + (changed ? ' with changes' : '')
  } catch {
    return 'no commit'
  }
}
