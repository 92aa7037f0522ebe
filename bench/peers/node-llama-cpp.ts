import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { endProcess } from '../../test/support/end-process.js'
import { onBestModule } from '../computing.js'

const version = '3.22.1'
// Outside the checkout: a peer is no dependency.
const folder = join(homedir(), '.cache', 'llamero-bench', 'node-llama-cpp')
const entry = join(folder, 'node_modules', 'node-llama-cpp', 'dist', 'index.js')
const execute = promisify(execFile)

/** What the child process is asked. */
export interface PeerRequest {
  readonly prompt: readonly number[]
  readonly generate: number
}

/** Prompts that are continued at the same time. */
export interface PeerStreams {
  readonly prompts: readonly (readonly number[])[]
  readonly generate: number
}

export interface PeerContext {
  /** Prompts that can run at once. */
  readonly sequences: number
  /** Tokens of each of them. */
  readonly contextSize: number
}

/** What it is started with. */
export interface PeerSetting extends PeerContext {
  readonly entry: string
  readonly modelPath: string
  readonly threads: number
}

/** node-llama-cpp in a process of its own, with the model open. */
export interface NodeLlamaCpp {
  readonly description: string
  /** Tokens per second from the first token received to the last. */
  decode(request: PeerRequest): Promise<number>
  /** Tokens generated per second of the whole time, prompts included. */
  streams(request: PeerStreams): Promise<number>
  close(): Promise<void>
}

export type PeerMessage = { readonly ready: string } | { readonly tokensPerSecond: number } | { readonly error: string }

/** Installs it on first use, with npm's own settings. */
export async function startNodeLlamaCpp(
  modelPath: string,
  threads: number,
  context: PeerContext,
): Promise<NodeLlamaCpp> {
  if (!onBestModule()) throw new Error('it brings modules of its own and takes the best of them')
  await install()
  const program = fileURLToPath(new URL('./node-llama-cpp-process.ts', import.meta.url))
  const setting: PeerSetting = { entry: pathToFileURL(entry).href, modelPath, threads, ...context }
  const child = fork(program, [JSON.stringify(setting)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const next = async (): Promise<Exclude<PeerMessage, { error: string }>> => {
    const gone = once(child, 'exit').then(() => [{ error: 'it ended' }])
    const [message] = (await Promise.race([once(child, 'message'), gone])) as [PeerMessage]
    if ('error' in message) throw new Error(`node-llama-cpp failed: ${message.error}`)
    return message
  }
  const ask = async (request: PeerRequest | PeerStreams): Promise<number> => {
    child.send(request)
    const message = await next()
    return 'tokensPerSecond' in message ? message.tokensPerSecond : Number.NaN
  }
  const first = await next()
  return {
    description: `node-llama-cpp ${version}, ${'ready' in first ? first.ready : ''}`,
    decode: ask,
    streams: ask,
    close: () => endProcess(child),
  }
}

async function install(): Promise<void> {
  if (existsSync(entry) && installedVersion() === version) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  // Its optional packages are builds for GPUs and other systems; only this machine's own is wanted.
  const build = `@node-llama-cpp/${process.platform}-${process.arch}@${version}`
  const flags = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '--prefix', folder]
  await execute('npm', ['install', ...flags, `node-llama-cpp@${version}`, build], { cwd: folder, timeout: 300_000 })
}

function installedVersion(): string {
  const manifest = readFileSync(join(folder, 'node_modules', 'node-llama-cpp', 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
