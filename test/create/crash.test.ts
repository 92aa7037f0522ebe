import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { create } from '../../lib/create/index.js'
import { Store } from '../../lib/store/index.js'
import { expectClean } from '../store/clean-store.js'
import { createModel, modelNames } from '../store/stored-models.js'
import { startProgram } from '../support/child-program.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const temporary = temporaryDirectory()
const program = new URL('./crash-child.ts', import.meta.url)
const template = new Store({ directory: join(temporary.path, 'template') })
const work = join(temporary.path, 'work')

beforeAll(async () => {
  await createModel(template, 'a', 'One.')
  await createModel(template, 'b', 'Replaced.')
  mkdirSync(work)
  writeFileSync(join(work, 'weights.gguf'), randomModel('qwen2'))
})

// Every change to the disk in a soak, every fifth in the suite.
const stride = process.env.LLAMERO_SOAK === undefined ? 5 : 1

const modelfiles = {
  'a file': 'FROM ./weights.gguf\nSYSTEM Terse.\nPARAMETER seed 1\n',
  'another model': 'FROM a\nSYSTEM Terse.\nMESSAGE user Hi\n',
}

describe('a process that is killed while it makes a model', () => {
  it.each(Object.entries(modelfiles))(
    'of %s leaves the old model or the new one, whichever change to the disk was its last',
    async (from, modelfile) => {
      const start = (name: string, dieAt: number) => {
        const directory = join(temporary.path, `${from}-${name}`)
        cpSync(template.directory, directory, { recursive: true, preserveTimestamps: true })
        const anyFile = join(work, 'weights.gguf')
        const { result } = startProgram(program, [directory, work, modelfile, anyFile, String(dieAt)])
        return { store: new Store({ directory }), result }
      }
      const whole = await start('whole', 0).result
      const changes = Number(whole.stdout)
      expect(changes, whole.stderr).toBeGreaterThan(20)

      let next = 1
      const die = async () => {
        for (let dieAt = next; dieAt <= changes; dieAt = next) {
          next += stride
          const { store, result } = start(`died-${dieAt}`, dieAt)
          const { signal, stderr } = await result
          expect(signal, `at ${dieAt}: ${stderr}`).toBe('SIGKILL')
          expect(await store.verify(), `after the death at ${dieAt}`).toMatchObject({ isClean: true })
          expect(await modelNames(store)).toEqual(['a:latest', 'b:latest'])
          const { system, licenses } = await store.show('b')
          expect([
            ['', ['Replaced.']],
            ['Terse.', from === 'a file' ? [] : ['One.']],
          ]).toContainEqual([system, licenses])

          await create(store, 'b', modelfile, { directory: work })
          expect((await store.show('b')).system).toBe('Terse.')
          await store.prune({ minAgeMs: 0 })
          await expectClean(store)
          for (const folder of ['ingest', 'claims'])
            expect(readdirSync(join(store.directory, folder)), `what the death at ${dieAt} left`).toEqual([])
        }
      }
      await Promise.all([die(), die()])
    },
    process.env['LLAMERO_SOAK'] === undefined ? 240_000 : 3_600_000,
  )
})
