import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it that are missing. Node's own way to do so asks for ever where the system says that
 * a folder is missing which is there, as it does below `/proc`; here its first such answer is thrown.
 */
export async function makeDirectory(path: string, mode = 0o755): Promise<void> {
  if (await make(path, mode)) return
  const parent = dirname(path)
  if (parent !== path) await makeDirectory(parent, mode)
  // Throws for what is still missing, whoever removed it.
  await mkdir(path, { mode }).catch(unlessThere)
}

/** Whether it is there now; not if a folder above it is missing. */
async function make(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode }).catch(unlessThere)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function unlessThere(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
}
