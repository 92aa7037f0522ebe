import { describe, expect, it } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import { readGguf, validateModel } from '../../lib/gguf/index.js'
import { randomArchitectures, randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { readMutants } from './header-campaign.js'
import { mutate } from './mutants.js'

const directory = temporaryDirectory()
const bases = randomArchitectures.map((architecture) => randomModel(architecture, { layers: 1 }))
const seeds = Array.from({ length: 800 }, (_, seed) => seed)

describe('mutants', () => {
  it('are the same for the same seed and differ from their base and from one another', () => {
    const base = bases[0] ?? new Uint8Array()
    const made = seeds.slice(0, 50).map((seed) => Buffer.from(mutate(base, seed)))
    for (const [seed, mutant] of made.entries()) expect(mutant.equals(mutate(base, seed))).toBe(true)
    const different = new Set(made.map((mutant) => mutant.toString('latin1')))
    expect(different.size).toBeGreaterThan(45)
    expect(different.has(Buffer.from(base).toString('latin1'))).toBe(false)
  })

  it('are accepted or refused with a LlameroError, at once', async () => {
    let accepted = 0
    for (const seed of seeds) {
      const path = await directory.write('mutant.gguf', mutate(bases[seed % bases.length] ?? new Uint8Array(), seed))
      const begin = process.cpuUsage().user
      try {
        validateModel(await readGguf(path))
        accepted++
      } catch (error) {
        expect(error, `seed ${seed}`).toBeInstanceOf(LlameroError)
        expect((error as LlameroError).message, `seed ${seed}`).toMatch(/^The model (file|cannot)/)
      }
      expect(process.cpuUsage().user - begin, `seed ${seed}`).toBeLessThan(1_000_000)
    }
    expect(accepted).toBeGreaterThan(20)
    expect(accepted).toBeLessThan(seeds.length / 2)
  })

  it('of headers in memory do no harm either', async () => {
    const { counts, failures } = await readMutants(1500, 1)
    expect(failures).toEqual([])
    expect(counts['ERR_MODEL_INVALID']).toBeGreaterThan(1000)
    expect(counts['accepted']).toBeGreaterThan(100)
  })
})
