import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Store } from '../../lib/store/index.js'
import { startProgram } from '../support/child-program.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { expectClean } from './clean-store.js'
import { createModel, modelNames } from './stored-models.js'

const temporary = temporaryDirectory()

describe('S12: several processes', () => {
  it('that create, copy, remove and prune at once lose no blob and end in no error', async () => {
    const store = new Store({ directory: join(temporary.path, 'store') })
    const program = new URL('./upkeep-child.ts', import.meta.url)
    await createModel(store, 'stays')
    const work = ['create', 'create', 'remove', 'copy', 'prune'].map(
      (task, index) => startProgram(program, [store.directory, task, `${index}`]).result,
    )
    for (const { code, stdout, stderr } of await Promise.all(work)) {
      expect(code, stderr).toBe(0)
      expect(Number(stdout)).toBeGreaterThan(3)
    }
    expect(await modelNames(store)).toContain('stays:latest')
    await expectClean(store)
    expect(readdirSync(join(store.directory, 'ingest'))).toEqual([])
  }, 120_000)
})
