import { LlameroError } from '../errors.js'
import { Store } from '../store/index.js'
import { exportModels } from '../transfer/index.js'
import type { CommandContext } from './context.js'
import { failureText } from './failure.js'
import { reportPull } from './pull-progress.js'
import { orNotFound, storedName } from './stored-name.js'

/** Where `llamero save` writes. */
export interface SaveFlags {
  readonly verbose?: boolean
  readonly output?: string
}

/** Writes models into one file, or to standard output; the exit code. */
export async function saveCommand(
  context: CommandContext,
  models: readonly string[],
  { output, verbose = false }: SaveFlags,
): Promise<number> {
  const { stdout, stderr, interruption, modelsDirectory } = context
  const { signal } = interruption
  if (output === undefined && stdout.isTerminal) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      'A terminal is no place for an archive. Name a file, as in: llamero save MODEL -o FILE.tar, or redirect the output.',
    )
  }
  const store = new Store({ directory: modelsDirectory })
  for (const model of models) await orNotFound(model, "'", store.readManifest(storedName(model)))
  const saving = exportModels(store, models.map(storedName), output ?? ((bytes) => stdout.write(bytes)), { signal })
  const reporter = reportPull(stderr, 'Stopped. Nothing was saved.')
  try {
    for await (const news of saving) reporter.report(news)
    await stdout.flush()
  } catch (error) {
    // Whoever reads must not take half an archive for a whole one, so that a reader who leaves is a failure here.
    if (!stdout.isClosed || signal.aborted) throw error
    await stderr.print(failureText(error, verbose)).catch(() => undefined)
    return 1
  } finally {
    reporter.end({ isStopped: signal.aborted })
  }
  return 0
}
