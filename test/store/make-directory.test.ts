import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeDirectory } from '../../lib/make-directory.js'
import { Store } from '../../lib/store/index.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const temporary = temporaryDirectory()

describe('a folder that is to be made', () => {
  it('is made with those above it, by many at once', async () => {
    const path = join(temporary.path, 'a', 'b', 'c')
    await Promise.all(Array.from({ length: 16 }, () => makeDirectory(path, 0o700)))
    expect(statSync(path).isDirectory()).toBe(true)
    if (process.platform !== 'win32') expect(statSync(join(temporary.path, 'a')).mode & 0o777).toBe(0o700)
  })

  it('is refused behind a file', async () => {
    const file = join(temporary.path, 'file')
    writeFileSync(file, '')
    await expect(makeDirectory(join(file, 'a', 'b'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  })

  it.runIf(existsSync('/proc/self'))('is refused where the system has no folders to make, at once', async () => {
    await expect(makeDirectory('/proc/self/x/y')).rejects.toMatchObject({ code: 'ENOENT' })
    const store = new Store({ directory: '/proc/self/x/models' })
    await expect(store.blobs.ingest([Buffer.from('x')])).rejects.toMatchObject({ code: 'ERR_STORE' })
  })

  it.each(['list', 'verify', 'prune'] as const)(
    'a file in place of a store is an error of %s, not an empty store',
    async (work) => {
      const file = join(temporary.path, 'store-file')
      writeFileSync(file, 'x')
      await expect(new Store({ directory: file })[work]()).rejects.toMatchObject({
        code: 'ERR_STORE',
        message: expect.stringMatching(/store-file is not a folder.*LLAMERO_MODELS/) as string,
      })
    },
  )
})
