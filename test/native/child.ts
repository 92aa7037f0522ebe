import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface ChildResult {
  readonly code: number | null
  /** The signal that ended it: a crash. */
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script of this folder in a process of its own. */
export function runChild(script: string, args: readonly string[], timeoutMs: number): Promise<ChildResult> {
  const path = join(dirname(fileURLToPath(import.meta.url)), script)
  const options = { timeout: timeoutMs, maxBuffer: 64 * 2 ** 20, killSignal: 'SIGTERM' as const }
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['--import', 'tsx', path, ...args], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr })
    })
  })
}
