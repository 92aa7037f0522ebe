import { Store } from '../store/index.js'
import { push, pushedPlace } from '../transfer/index.js'
import type { CommandContext } from './context.js'
import { reportPull } from './pull-progress.js'

/** Sends a model of the store to its registry; the exit code. */
export async function pushCommand(
  context: CommandContext,
  name: string,
  { insecure = false }: { readonly insecure?: boolean },
): Promise<number> {
  const { stdout, stderr, interruption, modelsDirectory, variables } = context
  const { signal } = interruption
  const pushing = push(new Store({ directory: modelsDirectory }), name, { signal, variables, insecure })
  const reporter = reportPull(stderr, 'Stopped. What has arrived there is not sent again.')
  try {
    for await (const news of pushing) reporter.report(news)
  } finally {
    reporter.end({ isStopped: signal.aborted })
  }
  await stdout.print(`\nYou can find your model at:\n\n\t${pushedPlace((await pushing).name)}\n`)
  return 0
}
