import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { backendReport } from '../../lib/native.js'
import { threads } from '../scenario.js'

/** Tokens per second of llama.cpp's own tools, built from the same sources and running on the same CPU module. */
export interface LlamaBenchReading {
  readonly prefill: number
  readonly decode: number
}

export interface LlamaBenchOptions {
  readonly modelPath: string
  readonly prompt: number
  readonly generate: number
  readonly depth: number
}

const execute = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const tools = join(root, '.cmake', 'release', 'bin')
// Equal on both sides: llamero's own sizes, and flash attention named so that no default can differ.
const settings = ['-t', String(threads), '-b', '2048', '-ub', '512', '-fa', 'on']

export const llamaCppSettings = `${settings.join(' ')}, KV type f16`
export const llamaCppArguments: readonly string[] = settings

/** Whether one of llama.cpp's own tools is built. */
export function isBuilt(name: string): boolean {
  return existsSync(join(tools, name))
}

/** The path of such a tool, once it is sure to run on llamero's own CPU module. */
export async function findTool(name: string): Promise<string> {
  if (!isBuilt(name)) throw new Error(`${name} is not built. Run 'npm run build:peers' first.`)
  await (compared ??= requireSameModule())
  return join(tools, name)
}

/** One run of llama-bench: each figure once, after its own warm-up. */
export async function llamaBench(options: LlamaBenchOptions): Promise<LlamaBenchReading> {
  const { modelPath, prompt, generate, depth } = options
  const counts = ['-p', String(prompt), '-n', String(generate), '-d', String(depth), '-r', '1', '-o', 'jsonl']
  const output = await runTool('llama-bench', ['-m', modelPath, ...settings, ...counts])
  const lines = jsonLines(output) as { n_prompt: number; n_gen: number; avg_ts: number }[]
  const speedOf = (found: (line: { n_prompt: number; n_gen: number }) => boolean): number =>
    lines.find(found)?.avg_ts ?? Number.NaN
  return { prefill: speedOf((line) => line.n_prompt > 0), decode: speedOf((line) => line.n_gen > 0) }
}

export interface BatchedBenchOptions {
  readonly modelPath: string
  readonly prompt: number
  readonly generate: number
  readonly streams: number
}

/** Tokens generated per second of the whole time, prompts included, on one unified KV cache as llamero has it. */
export async function llamaBatchedBench(options: BatchedBenchOptions): Promise<number> {
  const { modelPath, prompt, generate, streams } = options
  const cells = Math.ceil((streams * (prompt + generate)) / 256) * 256
  const counts = ['-npp', String(prompt), '-ntg', String(generate), '-npl', String(streams), '-c', String(cells)]
  const form = ['-kvu', '--output-format', 'jsonl']
  const output = await runTool('llama-batched-bench', ['-m', modelPath, ...settings, ...counts, ...form])
  const [line] = jsonLines(output) as { t: number }[]
  if (line === undefined) throw new Error(`llama-batched-bench gave no figures: ${output.slice(-400)}`)
  return (streams * generate) / line.t
}

async function runTool(name: string, args: readonly string[]): Promise<string> {
  const { stdout } = await execute(await findTool(name), args, { maxBuffer: 2 ** 26, timeout: 300_000 })
  return stdout
}

function jsonLines(output: string): unknown[] {
  const lines = output.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as unknown)
}

let compared: Promise<void> | undefined

/** Another module, or another build of it, would make a ratio mean something else. All tools choose as llama-bench. */
async function requireSameModule(): Promise<void> {
  const { stderr } = await execute(join(tools, 'llama-bench'), ['--list-devices'])
  const module = /libggml-cpu-(\w+)\.\w+/.exec(stderr)?.[1]
  const { cpuModule } = backendReport()
  if (module !== cpuModule) {
    throw new Error(`llama.cpp's tools run on the CPU module "${module ?? '?'}", llamero on "${cpuModule}".`)
  }
  const files = [tools, join(root, 'build', 'Release')].map((folder) => join(folder, `libggml-cpu-${module}.so`))
  const digests = files.map((file) => createHash('sha256').update(readFileSync(file)).digest('hex'))
  if (digests[0] !== digests[1]) {
    throw new Error(`The module "${module}" of the tools is another build than llamero's. Run 'npm run build:peers'.`)
  }
}
