import { Store } from '../store/index.js'
import { pull } from '../transfer/index.js'
import type { CommandContext } from './context.js'
import { reportPull } from './pull-progress.js'

/** Gets a model into the store; the exit code. */
export async function pullCommand(
  context: CommandContext,
  reference: string,
  { insecure = false }: { readonly insecure?: boolean },
): Promise<number> {
  const { stderr, interruption, modelsDirectory, variables } = context
  const { signal } = interruption
  const store = new Store({ directory: modelsDirectory })
  const before = await store.list()
  const pulling = pull(store, reference, { signal, variables, insecure })
  const reporter = reportPull(stderr)
  try {
    for await (const news of pulling) reporter.report(news)
  } finally {
    reporter.end({ isStopped: signal.aborted })
  }
  const { displayName, manifestDigest } = await pulling
  const isKnown = before.models.some(
    (model) => model.manifestDigest === manifestDigest && model.displayName === displayName,
  )
  if (isKnown) await stderr.print(`${displayName} is up to date\n`)
  else if (displayName !== reference) await stderr.print(`stored as ${displayName}\n`)
  return 0
}
