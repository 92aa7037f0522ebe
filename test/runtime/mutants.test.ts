import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { load, LlameroError } from '../../lib/index.js'
import { mutate } from '../gguf/mutants.js'
import { randomModel } from '../support/random-model.js'
import { scriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const bases = [scriptedModel(), randomModel('qwen2', { layers: 1 }), randomModel('gemma3', { layers: 1 })]

// The campaign of 10,000 is test/gguf/mutants-campaign.ts.
const seeds = Array.from({ length: 240 }, (_, seed) => seed)

async function outcome(seed: number): Promise<string> {
  const path = join(mkdtempSync(join(directory.path, 'mutant-')), 'mutant.gguf')
  await directory.write(
    path.slice(directory.path.length + 1),
    mutate(bases[seed % bases.length] ?? new Uint8Array(), seed),
  )
  try {
    const model = await load(path, { probeDirectory: directory.path, contextSize: 256, parallel: 1, threads: 1 })
    try {
      await model.generate('Hello K3', { maxTokens: 4, temperature: 0 })
    } finally {
      await model.close()
    }
    return 'generated'
  } catch (error) {
    return error instanceof LlameroError ? 'refused' : `seed ${seed}: ${String(error)}`
  }
}

describe('damaged models', () => {
  it(
    'G2 G3 G5 G6: load or are refused with an error of ours, and the process lives',
    { timeout: 240_000 },
    async () => {
      const outcomes: string[] = []
      for (const seed of seeds) outcomes.push(await outcome(seed))
      const counts = { generated: 0, refused: 0, foreign: [] as string[] }
      for (const result of outcomes) {
        if (result === 'generated' || result === 'refused') counts[result]++
        else counts.foreign.push(result)
      }
      expect(counts.foreign).toEqual([])
      expect(counts.generated).toBeGreaterThan(0)
      expect(counts.refused).toBeGreaterThan(0)
    },
  )
})
