import { Store } from '../store/index.js'
import type { CommandContext } from './context.js'
import { orNotFound, storedName } from './stored-name.js'

/** Removes models one after the other, up to the first that fails; the exit code. */
export async function removeCommand(context: CommandContext, models: readonly string[]): Promise<number> {
  const { stdout, interruption, modelsDirectory } = context
  const store = new Store({ directory: modelsDirectory })
  for (const model of models) {
    interruption.signal.throwIfAborted()
    await orNotFound(model, "'", store.remove(storedName(model)))
    await stdout.print(`deleted '${model}'\n`)
  }
  return 0
}
