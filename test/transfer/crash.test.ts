import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Store } from '../../lib/store/index.js'
import { pull } from '../../lib/transfer/index.js'
import { expectClean } from '../store/clean-store.js'
import { modelNames } from '../store/stored-models.js'
import { startProgram } from '../support/child-program.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { pullOptions } from './crash-options.js'
import { serveRegistry, weights } from './scripted-registry.js'

const temporary = temporaryDirectory()
const program = new URL('./crash-child.ts', import.meta.url)

// Every change to the disk in a soak, every fifth in the suite.
const stride = process.env['LLAMERO_SOAK'] === undefined ? 5 : 1

it(
  'a process that is killed while it pulls leaves nothing or the whole model, and the next pull has it',
  async () => {
    await using registry = await serveRegistry()
    const reference = `${registry.host}/ns/m:1`
    const home = join(temporary.path, 'home')
    mkdirSync(home)
    const anyFile = join(home, 'file')
    writeFileSync(anyFile, weights)
    const start = (name: string, dieAt: number) => {
      const directory = join(temporary.path, name)
      const { result } = startProgram(program, [directory, reference, home, anyFile, String(dieAt)])
      return { store: new Store({ directory }), result }
    }
    const whole = await start('whole', 0).result
    const changes = Number(whole.stdout)
    expect(changes, whole.stderr).toBeGreaterThan(40)

    let next = 1
    const work = async () => {
      for (let dieAt = next; dieAt <= changes; dieAt = next) {
        next += stride
        const { store, result } = start(`died-${dieAt}`, dieAt)
        const { signal, stdout, stderr } = await result
        // Parts are fetched side by side, so that the number of changes varies by a few.
        if (signal === null && dieAt > changes - 10) expect(Number(stdout), stderr).toBeLessThan(dieAt)
        else expect(signal, `at ${dieAt}: ${stderr}`).toBe('SIGKILL')
        expect(await store.verify(), `after the death at ${dieAt}`).toMatchObject({ isClean: true })
        await expectClean(store)

        await pull(store, reference, pullOptions(home))
        expect(await modelNames(store)).toEqual([`${registry.host}/ns/m:1`])
        await store.prune({ minAgeMs: 0 })
        await expectClean(store)
        for (const folder of ['ingest', 'claims'])
          expect(readdirSync(join(store.directory, folder)), `what the death at ${dieAt} left`).toEqual([])
      }
    }
    await Promise.all([work(), work()])
  },
  process.env['LLAMERO_SOAK'] === undefined ? 240_000 : 3_600_000,
)
