import { Readable } from 'node:stream'
import { runProgram } from '../../lib/cli/program.js'
import type { Store } from '../../lib/store/index.js'
import { fakeOutput } from './fake-output.js'

/** Runs the command line in this process, on a store and with nothing of the environment. */
export async function runInProcess(store: Store, args: readonly string[]) {
  const [stdout, stderr] = [fakeOutput(), fakeOutput()]
  const exitCode = await runProgram(args, {
    stdin: Readable.from([]),
    stdout: stdout.output,
    stderr: stderr.output,
    interruption: { signal: new AbortController().signal, cause: undefined },
    modelsDirectory: store.directory,
    variables: {},
  })
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() }
}
