import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Store } from '../../lib/store/index.js'
import { exportModels, importModels } from '../../lib/transfer/index.js'
import { expectClean } from '../store/clean-store.js'
import { blobFiles, createModel, modelNames } from '../store/stored-models.js'
import { startProgram } from '../support/child-program.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { tarFile } from './tar-members.js'

const temporary = temporaryDirectory()
const program = new URL('./archive-crash-child.ts', import.meta.url)
const isSoak = process.env['LLAMERO_SOAK'] !== undefined
const source = new Store({ directory: join(temporary.path, 'source') })
/** Where models are imported to: one of them is there already, made of other layers. */
const target = new Store({ directory: join(temporary.path, 'target') })
const archive = join(temporary.path, 'models.tar')
let exported: Buffer

beforeAll(async () => {
  await createModel(source, 'a', 'One.')
  await createModel(source, 'b', 'Two.')
  await exportModels(source, ['a', 'b'], archive)
  exported = readFileSync(archive)
  await createModel(target, 'b', 'An old license.')
})

const run = (directory: string, task: string, file: string, dieAt: number) =>
  startProgram(program, [directory, task, file, String(dieAt)]).result

/** Has a process die at each change to the disk, every fifth unless there is time for all. */
async function atEachDeath(changes: number, check: (dieAt: number) => Promise<void>): Promise<void> {
  const deaths = Array.from({ length: changes }, (_, index) => index + 1).filter((at) => isSoak || at % 5 === 1)
  const waiting = deaths.values()
  const work = async () => {
    for (const dieAt of waiting) await check(dieAt)
  }
  await Promise.all([work(), work()])
}

/** The same archive with everything before the index, so that nothing is known of a blob when it comes. */
function indexLast(): Buffer {
  const members = []
  for (let at = 0; exported[at] !== 0;) {
    const name = exported.toString('latin1', at, exported.indexOf(0, at))
    const size = parseInt(exported.toString('latin1', at + 124, at + 135), 8)
    members.push({ name, content: exported.subarray(at + 512, at + 512 + size) })
    at += 512 * (1 + Math.ceil(size / 512))
  }
  return tarFile(members.toReversed())
}

describe('S7: a process that is killed while it', () => {
  it.each([
    ['as save writes it', () => exported],
    ['with the index last', indexLast],
  ])(
    'imports an archive %s leaves whole models and no claim, and the next import succeeds',
    async (title, bytes) => {
      const file = join(temporary.path, `${title}.tar`)
      writeFileSync(file, bytes())
      const start = (name: string, dieAt: number) => {
        const store = new Store({ directory: join(temporary.path, `${title} ${name}`) })
        cpSync(target.directory, store.directory, { recursive: true, preserveTimestamps: true })
        return { store, result: run(store.directory, 'import', file, dieAt) }
      }
      const { stdout, stderr } = await start('whole', 0).result
      expect(Number(stdout), stderr).toBeGreaterThan(40)
      const seen = new Set<string>()
      await atEachDeath(Number(stdout), async (dieAt) => {
        const { store, result } = start(`died-${dieAt}`, dieAt)
        const death = await result
        expect(death.signal, `at ${dieAt}: ${death.stderr}`).toBe('SIGKILL')
        expect(await store.verify(), `after the death at ${dieAt}`).toMatchObject({ isClean: true })
        const names = await modelNames(store)
        expect([['b:latest'], ['a:latest', 'b:latest']]).toContainEqual(names)
        seen.add(names.join())

        await importModels(store, file)
        await store.prune({ minAgeMs: 0 })
        await expectClean(store)
        for (const name of ['a', 'b'])
          expect((await store.resolve(name)).manifestDigest).toBe((await source.resolve(name)).manifestDigest)
        expect(blobFiles(store), `what the death at ${dieAt} left`).toEqual(blobFiles(source))
        for (const folder of ['ingest', 'claims'])
          expect(readdirSync(join(store.directory, folder)), `what the death at ${dieAt} left`).toEqual([])
      })
      expect(seen.size).toBe(2)
    },
    isSoak ? 3_600_000 : 600_000,
  )

  it(
    'exports leaves the old file or the new one',
    async () => {
      const old = Buffer.from('an old archive')
      const start = async (dieAt: number) => {
        const file = join(temporary.path, `export-${dieAt}.tar`)
        writeFileSync(file, old)
        return { file, ...(await run(source.directory, 'export', file, dieAt)) }
      }
      const whole = await start(0)
      expect(Number(whole.stdout), whole.stderr).toBeGreaterThan(10)
      expect(readFileSync(whole.file)).toEqual(exported)
      await atEachDeath(Number(whole.stdout), async (dieAt) => {
        const { file, signal, stderr } = await start(dieAt)
        expect(signal, `at ${dieAt}: ${stderr}`).toBe('SIGKILL')
        // The last changes only let go of the claims on what was read.
        const left = readFileSync(file)
        expect(
          [old, exported].some((whole) => whole.equals(left)),
          `at ${dieAt}`,
        ).toBe(true)
        expect(await source.verify(), `after the death at ${dieAt}`).toMatchObject({ isClean: true })
      })
    },
    isSoak ? 3_600_000 : 600_000,
  )
})
