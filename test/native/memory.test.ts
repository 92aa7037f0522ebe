import { describe, expect, it } from 'vitest'
import { program } from './program.js'
import { patience, scriptedModelFile } from './test-engine.js'

const model = scriptedModelFile()

// A sanitizer keeps freed memory on purpose.
describe.skipIf(patience > 1)('memory outside of the JavaScript heap', () => {
  it(
    'grows by less than 6 MiB over 15,000 short requests, and 4 MiB over 150 loads',
    { timeout: 120_000 },
    async () => {
      const { code, stdout, stderr } = await program(
        'short-lives.mjs',
        { path: model(), requests: 40_000, loads: 400, shares: 8 },
        {
          nodeOptions: ['--expose-gc', '--max-semi-space-size=1'],
          timeoutMs: 110_000,
          // What is freed must go back to the system. glibc gives each thread heaps of its own, of which some megabytes
          // stay with whoever was busiest last, and returns the less the larger the blocks are that were freed before.
          variables: { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' },
        },
      )
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const { afterRequests, afterLoads } = JSON.parse(stdout) as Record<string, number[]>
      expect(growth(afterRequests!)).toBeLessThan(6)
      expect(growth(afterLoads!)).toBeLessThan(4)
    },
  )
})

/** MiB from the middle to the last shares, three eighths of all; single swings of the garbage collector do not count. */
function growth(held: readonly number[]): number {
  return (Math.min(...held.slice(6, 8)) - Math.max(...held.slice(2, 4))) / 2 ** 20
}
