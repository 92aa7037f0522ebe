import { Readable } from 'node:stream'
import { runProgram } from '../../lib/cli/program.js'
import { expectHarmless } from '../support/harmless.js'
import { fakeOutput } from './fake-output.js'

/** Runs the command line in this process, on the store in a folder, with nothing of the environment but `variables`. */
export async function runInProcess(
  modelsDirectory: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
) {
  const [stdout, stderr] = [fakeOutput(), fakeOutput()]
  const exitCode = await runProgram(args, {
    stdin: Readable.from([]),
    stdout: stdout.output,
    stderr: stderr.output,
    interruption: { signal: new AbortController().signal, cause: undefined },
    modelsDirectory,
    variables,
  })
  expectHarmless(stderr.text())
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() }
}
