import { LlameroError } from '../errors.js'
import { Store } from '../store/index.js'
import { importModels } from '../transfer/index.js'
import type { CommandContext } from './context.js'
import type { Input } from './prompt.js'
import { reportPull } from './pull-progress.js'

/** Where `llamero load` reads. */
export interface LoadFlags {
  readonly verbose?: boolean
  readonly input?: string
}

/** Puts the models of an archive, a file or standard input, into the store; the exit code. */
export async function loadCommand(context: CommandContext, { input }: LoadFlags): Promise<number> {
  const { stdout, stderr, interruption, modelsDirectory } = context
  const { signal } = interruption
  if (input === undefined && context.stdin.isTTY === true) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      'Expected an archive. Name its file, as in: llamero load -i FILE.tar, or pipe it in.',
    )
  }
  const store = new Store({ directory: modelsDirectory })
  const source = input ?? standardInput(context.stdin)
  const loading = importModels(store, source, { signal })
  const reporter = reportPull(stderr, 'Stopped. What has arrived is kept for the next try.')
  try {
    for await (const news of loading) reporter.report(news)
  } finally {
    reporter.end({ isStopped: signal.aborted })
  }
  for (const { displayName } of await loading) await stdout.print(`loaded '${displayName}'\n`)
  return 0
}

async function* standardInput(stdin: Input): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stdin) yield Buffer.from(chunk)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new LlameroError('ERR_STORE', `Standard input could not be read: ${reason}.`, { cause: error })
  }
}
