import { spawn } from 'node:child_process'
import { transferFailure } from './transfer-failure.js'

/** What a run of another program gave. */
export interface ProgramOutput {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

// A report of pip carries the package's whole description.
const mostOutput = 32 * 1024 * 1024
const timeoutMs = 30 * 60_000

/** Runs a command in a folder, without input. Undefined if there is no such program. Errors: `ERR_REGISTRY`. */
export function runProgram(
  [program = '', ...args]: readonly string[],
  { directory, signal }: { readonly directory: string; readonly signal?: AbortSignal | undefined },
): Promise<ProgramOutput | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      timeout: timeoutMs,
      ...(signal && { signal }),
    })
    const output = { stdout: '', stderr: '' }
    const collect = (name: keyof typeof output) => {
      child[name].setEncoding('utf8')
      child[name].on('data', (text: string) => {
        output[name] += text
        if (output[name].length > mostOutput) child.kill()
      })
    }
    collect('stdout')
    collect('stderr')
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (signal?.aborted) reject(signal.reason as Error)
      else if (error.code === 'ENOENT' || error.code === 'EACCES') resolve(undefined)
      else
        reject(transferFailure('unreachable', `A program could not be started (${error.code ?? error.name}).`, error))
    })
    child.once('close', (code) => {
      if (signal?.aborted) reject(signal.reason as Error)
      else resolve({ exitCode: code ?? -1, ...output })
    })
  })
}
