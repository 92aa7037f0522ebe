import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { endProcess } from '../../test/support/end-process.js'
import { onBestModule } from '../computing.js'
import type { PeerMessage, PeerStreams } from './node-llama-cpp.js'

const version = '2026.4.1.0'
const batch = 2048
// Outside the checkout: a peer is no dependency.
const folder = join(homedir(), '.cache', 'llamero-bench', 'openvino-genai')
const packages = join(folder, version)
const execute = promisify(execFile)

/** OpenVINO GenAI in a process of its own, with the model open. */
export interface OpenVino {
  readonly description: string
  /** Tokens generated per second of the whole time, prompts included. */
  streams(request: PeerStreams): Promise<number>
  close(): Promise<void>
}

/** Installs it on first use, with pip's own settings; fails where Python or a build for this machine is missing. */
export async function startOpenVino(modelPath: string, threads: number): Promise<OpenVino> {
  if (!onBestModule()) throw new Error("it has kernels of its own, which can't be held to a CPU module")
  await install()
  const program = fileURLToPath(new URL('./openvino-process.py', import.meta.url))
  const setting = { modelPath: named(modelPath), threads, batch }
  const child = spawn('python3', [program, JSON.stringify(setting)], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, PYTHONPATH: [packages, process.env['PYTHONPATH'] ?? ''].join(delimiter) },
  })
  await once(child, 'spawn')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<Exclude<PeerMessage, { error: string }>> => {
    const { value, done } = await lines.next()
    const message = done === true ? { error: 'it ended' } : (JSON.parse(value) as PeerMessage)
    if ('error' in message) throw new Error(`OpenVINO GenAI failed: ${message.error}`)
    return message
  }
  const first = await next()
  return {
    description: `OpenVINO GenAI ${'ready' in first ? first.ready : ''}, ContinuousBatchingPipeline on the same file, ${threads} threads, batches of ${batch}, the rest its own defaults (8-bit keys and values, kernels of its own)`,
    async streams(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      const message = await next()
      return 'tokensPerSecond' in message ? message.tokensPerSecond : Number.NaN
    },
    close: () => endProcess(child),
  }
}

async function install(): Promise<void> {
  if (existsSync(join(packages, 'openvino_genai'))) return
  mkdirSync(folder, { recursive: true })
  const flags = ['--quiet', '--only-binary', ':all:', '--disable-pip-version-check', '--target', packages]
  await execute('python3', ['-m', 'pip', 'install', ...flags, `openvino-genai==${version}`], { timeout: 300_000 })
}

/** It tells a GGUF file by its name, which blobs of a store don't have. */
function named(modelPath: string): string {
  if (modelPath.endsWith('.gguf')) return modelPath
  const link = join(folder, `${basename(modelPath)}.gguf`)
  if (!existsSync(link)) symlinkSync(modelPath, link)
  return link
}
