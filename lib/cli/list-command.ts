import { shortDigest, Store } from '../store/index.js'
import { byteSize } from './byte-size.js'
import type { CommandContext } from './context.js'
import { relativeTime } from './relative-time.js'
import { table } from './table.js'

/** Prints the models of the store, the latest first, and warns of those that are damaged; the exit code. */
export async function listCommand(context: CommandContext, prefix = ''): Promise<number> {
  const { stdout, stderr, modelsDirectory } = context
  const { models, warnings } = await new Store({ directory: modelsDirectory }).list()
  const now = new Date()
  const isWanted = ({ displayName }: { readonly displayName: string }): boolean =>
    displayName.toLowerCase().startsWith(prefix.toLowerCase())
  const rows = models
    .filter(isWanted)
    .map(({ displayName, manifestDigest, sizeBytes, modifiedAt }) => [
      displayName,
      shortDigest(manifestDigest),
      byteSize(sizeBytes),
      relativeTime(modifiedAt, now),
    ])
  await stdout.print(table(['NAME', 'ID', 'SIZE', 'MODIFIED'], rows))
  for (const { message } of warnings.filter(isWanted)) await stderr.print(`Warning: ${message}\n`)
  return 0
}
