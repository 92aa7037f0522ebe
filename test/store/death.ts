import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

type Change = (...args: unknown[]) => unknown

/**
 * From now on counts this process's changes to the disk, and kills it at one of them, as a power switch would. Modules
 * that change files are to be imported afterwards.
 *
 * @param anyFile a file that can be opened
 * @returns how many changes there have been
 */
export async function dieAtChange(dieAt: number, anyFile: string): Promise<() => number> {
  let changes = 0
  const counted = (change: Change): Change =>
    function (this: unknown, ...args) {
      changes += 1
      if (changes === dieAt) process.kill(process.pid, 'SIGKILL')
      return change.apply(this, args)
    }
  const probe = await fs.open(anyFile, 'r')
  const handle = Object.getPrototypeOf(probe) as Record<string, Change>
  await probe.close()
  const changing = fs as unknown as Record<string, Change>
  for (const [target, names] of [
    [handle, ['write', 'writeFile', 'sync', 'chmod', 'truncate']],
    [changing, ['open', 'mkdir', 'rename', 'link', 'rm', 'rmdir', 'unlink', 'writeFile', 'utimes', 'copyFile']],
  ] as const) {
    for (const name of names) {
      const change = target[name]
      if (change) target[name] = counted(change)
    }
  }
  syncBuiltinESMExports()
  return () => changes
}
