import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

export interface ChildResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface ChildProgram {
  readonly process: ChildProcessByStdio<null, Readable, Readable>
  readonly result: Promise<ChildResult>
}

// tsx is found from here.
const repository = fileURLToPath(new URL('../..', import.meta.url))

/** The command that runs a TypeScript program beside the calling test. */
export function programCommand(program: URL, args: readonly string[]): readonly [string, ...string[]] {
  return [process.execPath, '--no-warnings', '--import', 'tsx', fileURLToPath(program), ...args]
}

/** Starts a TypeScript program in a process of its own, behind another command if one is given. */
export function startProgram(program: URL, args: readonly string[], before: readonly string[] = []): ChildProgram {
  const [command = '', ...rest] = [...before, ...programCommand(program, args)]
  const child = spawn(command, rest, { cwd: repository, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  const result = new Promise<ChildResult>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      resolve({ code, signal, ...output })
    })
  })
  return { process: child, result }
}
