import { parseName, Store } from '../store/index.js'
import type { CommandContext } from './context.js'
import { orNotFound, storedName } from './stored-name.js'

/** Gives a model a second name; the exit code. */
export async function copyCommand(context: CommandContext, source: string, destination: string): Promise<number> {
  const { stdout, modelsDirectory } = context
  const store = new Store({ directory: modelsDirectory })
  await orNotFound(source, '"', store.copy(storedName(source), parseName(destination)))
  await stdout.print(`copied '${source}' to '${destination}'\n`)
  return 0
}
