import { mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export interface TemporaryDirectory {
  readonly path: string
  /** Writes a file there and returns its path. */
  write(name: string, bytes: Uint8Array | string): Promise<string>
}

/** A folder that lives until the tests of the calling file or block are over. */
export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), 'llamero-test-'))
  afterAll(() => {
    rmSync(path, { recursive: true, force: true })
  })
  return {
    path,
    async write(name, bytes) {
      const file = join(path, name)
      await writeFile(file, bytes)
      return file
    },
  }
}
