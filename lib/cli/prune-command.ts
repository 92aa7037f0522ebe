import { Store } from '../store/index.js'
import { byteSize } from './byte-size.js'
import type { CommandContext } from './context.js'

/** Removes from the store what nothing needs; the exit code. */
export async function pruneCommand({ stdout, stderr, modelsDirectory }: CommandContext): Promise<number> {
  const report = await new Store({ directory: modelsDirectory }).prune()
  for (const { message } of report.warnings) await stderr.print(`Warning: ${message}\n`)
  if (report.warnings.length > 0)
    await stderr.print('Warning: No blob was removed, since a damaged manifest may need it.\n')
  const files = report.removedBlobs.length + report.removedFiles
  await stdout.print(`removed ${files} ${files === 1 ? 'file' : 'files'}, freed ${byteSize(report.freedBytes)}\n`)
  return 0
}
