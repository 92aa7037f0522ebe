import { describe, expect, it } from 'vitest'
import { program } from './program.js'
import { patience, scriptedModelFile } from './test-engine.js'

const model = scriptedModelFile()

describe('workers', () => {
  it(
    'load, generate and close side by side, and are terminated at any moment',
    { timeout: 120_000 * patience },
    async () => {
      const seed = Math.floor(Math.random() * 2 ** 30)
      const ended = await program(
        'worker-rounds.mjs',
        { path: model(), workers: 8, rounds: 3, terminations: 40, longestMs: 150, seed },
        { timeoutMs: 100_000 },
      )
      expect(ended, `seed ${seed}`).toMatchObject({ code: 0, signal: null, stderr: '' })
      const { rounds, terminated } = JSON.parse(ended.stdout) as { rounds: number; terminated: number }
      expect(terminated).toBe(40)
      expect(rounds).toBeGreaterThanOrEqual(24)
    },
  )
})
