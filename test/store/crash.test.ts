import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mediaTypes, Store } from '../../lib/store/index.js'
import { startProgram } from '../support/child-program.js'
import { writeRandomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { expectClean } from './clean-store.js'

const temporary = temporaryDirectory()
const program = new URL('./crash-child.ts', import.meta.url)

describe('S7: a process that is killed while it stores a model', () => {
  it(
    'leaves the old state or the new one, whichever change to the disk was its last',
    async () => {
      const weights = await writeRandomModel(join(temporary.path, 'weights.gguf'), 'llama')
      const whole = await startProgram(program, [join(temporary.path, 'whole'), weights]).result
      const changes = Number(whole.stdout)
      expect(changes, whole.stderr).toBeGreaterThan(20)

      // Every change to the disk in a soak, every second in the suite.
      const step = process.env['LLAMERO_SOAK'] === undefined ? 2 : 1
      let next = 1
      const work = async () => {
        for (let dieAt = next; dieAt <= changes; dieAt = next) {
          next += step
          const store = new Store({ directory: join(temporary.path, `died-${dieAt}`) })
          const first = await startProgram(program, [store.directory, weights, String(dieAt)]).result
          expect(first.signal, `at ${dieAt}: ${first.stderr}`).toBe('SIGKILL')
          await expectClean(store)
          const { digest, sizeBytes } = await store.blobs.ingest([await readFile(weights)])
          const license = await store.addLayer(mediaTypes.license, 'Do as you like.')
          await store.createModel('m', { layers: [{ mediaType: mediaTypes.model, digest, size: sizeBytes }, license] })
          await expectClean(store)
          expect((await store.resolve('m')).displayName).toBe('m:latest')
          expect(readdirSync(join(store.directory, 'ingest')), `what the death at ${dieAt} left behind`).toEqual([])
        }
      }
      await Promise.all([work(), work()])
    },
    process.env['LLAMERO_SOAK'] === undefined ? 240_000 : 3_600_000,
  )
})
