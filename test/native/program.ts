import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { addonDirectory, patience } from './test-engine.js'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program of this folder with its input as JSON; one that hangs is killed, which shows as its signal. */
export function program(
  name: string,
  input: Readonly<Record<string, unknown>>,
  options: {
    readonly nodeOptions?: readonly string[]
    readonly timeoutMs?: number
    readonly variables?: Readonly<Record<string, string>>
  } = {},
): Promise<Ended> {
  const { nodeOptions = [], timeoutMs = 30_000, variables = {} } = options
  const json = JSON.stringify({ directory: addonDirectory, ...input })
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeOptions, join(import.meta.dirname, name), json], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...variables },
      timeout: timeoutMs * patience,
      killSignal: 'SIGKILL',
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}
