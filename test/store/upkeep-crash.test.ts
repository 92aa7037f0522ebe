import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf, Store } from '../../lib/store/index.js'
import { startProgram } from '../support/child-program.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { expectClean } from './clean-store.js'
import { createModel, modelNames } from './stored-models.js'

const temporary = temporaryDirectory()
const program = new URL('./upkeep-crash-child.ts', import.meta.url)
const template = new Store({ directory: join(temporary.path, 'template') })
const before = ['a:latest', 'b:latest', 'ns/b:1']
let weights: string

beforeAll(async () => {
  weights = (await createModel(template, 'a', 'One.')).modelPath
  await createModel(template, 'b', 'Another.')
  await createModel(template, 'ns/b:1', 'A third.')
  for (const text of ['orphan', 'other orphan']) {
    await template.blobs.ingest([Buffer.from(text)])
    await template.blobs.release([digestOf(text)])
    const partial = await template.partials.open(digestOf(text), { index: 0, source: digestOf('source') }, 100)
    await partial.append(Buffer.alloc(100))
    await partial.close()
  }
  writeFileSync(join(template.directory, 'blobs', digestOf('old')), 'old')
  mkdirSync(join(template.directory, 'manifests', 'host', 'ns', 'm'), { recursive: true })
})

const tasks: Readonly<Record<string, { after: string[]; run: (store: Store) => Promise<unknown> }>> = {
  copy: { after: before, run: (store) => store.copy('a', 'b') },
  remove: { after: ['a:latest', 'b:latest'], run: (store) => store.remove('ns/b:1') },
  prune: { after: before, run: (store) => store.prune({ minAgeMs: 0 }) },
}

describe('a process that is killed while it', () => {
  it.each(Object.keys(tasks))(
    '%ss leaves the old state or the new one, whichever change to the disk was its last',
    async (task) => {
      const { after, run } = tasks[task] ?? { after: [], run: () => Promise.resolve() }
      const start = (name: string, dieAt: number) => {
        const directory = join(temporary.path, `${task}-${name}`)
        cpSync(template.directory, directory, { recursive: true, preserveTimestamps: true })
        const result = startProgram(program, [directory, task, weights, String(dieAt)]).result
        return { store: new Store({ directory }), result }
      }
      const whole = await start('whole', 0).result
      const changes = Number(whole.stdout)
      expect(changes, whole.stderr).toBeGreaterThan(8)

      let next = 1
      const work = async () => {
        for (let dieAt = next; dieAt <= changes; dieAt = next) {
          next += 1
          const { store, result } = start(`died-${dieAt}`, dieAt)
          const { signal, stderr } = await result
          expect(signal, `at ${dieAt}: ${stderr}`).toBe('SIGKILL')
          expect(await store.verify(), `after the death at ${dieAt}`).toMatchObject({ isClean: true })
          expect([before, after]).toContainEqual(await modelNames(store))

          await run(store).catch((error: unknown) => expect(error).toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' }))
          expect(await modelNames(store)).toEqual(after)
          await store.prune({ minAgeMs: 0 })
          await expectClean(store)
          const named = (await store.list()).models.flatMap(({ config, layers }) =>
            [config, ...layers].map(({ digest }) => digest.replace(':', '-')),
          )
          const left = readdirSync(join(store.directory, 'blobs')).sort()
          expect(left, `what the death at ${dieAt} left`).toEqual([...new Set(named)].sort())
          for (const folder of ['ingest', 'claims'])
            expect(readdirSync(join(store.directory, folder)), `what the death at ${dieAt} left`).toEqual([])
        }
      }
      await Promise.all([work(), work()])
    },
    240_000,
  )
})
