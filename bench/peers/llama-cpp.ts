import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { threads } from '../scenario.js'
import { findTool } from './tool.js'

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
// Equal on both sides: llamero's own sizes, and flash attention named so that no default can differ.
const settings = ['-t', String(threads), '-b', '2048', '-ub', '512', '-fa', 'on']

export const llamaCppSettings = `${settings.join(' ')}, KV type f16`
export const llamaCppArguments: readonly string[] = settings

/** One run of llama-bench: each figure once, after its own warm-up; NaN of which no tokens are asked for. */
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
  /** One KV cache for all streams, as llamero's, or one for each. */
  readonly unified: boolean
}

/** Tokens per second of many streams, whose prompts are computed before all of them generate. */
export interface BatchedBenchReading {
  readonly prefill: number
  readonly decode: number
  /** Tokens generated per second of the whole time, prompts included. */
  readonly overall: number
}

/** One run of llama-batched-bench. */
export async function llamaBatchedBench(options: BatchedBenchOptions): Promise<BatchedBenchReading> {
  const { modelPath, prompt, generate, streams, unified } = options
  const cells = Math.ceil((streams * (prompt + generate)) / 256) * 256
  const counts = ['-npp', String(prompt), '-ntg', String(generate), '-npl', String(streams), '-c', String(cells)]
  const form = [...(unified ? ['-kvu'] : []), '--output-format', 'jsonl']
  const output = await runTool('llama-batched-bench', ['-m', modelPath, ...settings, ...counts, ...form])
  const [line] = jsonLines(output) as { speed_pp: number; speed_tg: number; t: number }[]
  if (line === undefined) throw new Error(`llama-batched-bench gave no figures: ${output.slice(-400)}`)
  return { prefill: line.speed_pp, decode: line.speed_tg, overall: (streams * generate) / line.t }
}

async function runTool(name: string, args: readonly string[]): Promise<string> {
  const { stdout } = await execute(await findTool(name), args, { maxBuffer: 2 ** 26, timeout: 300_000 })
  return stdout
}

function jsonLines(output: string): unknown[] {
  const lines = output.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as unknown)
}
