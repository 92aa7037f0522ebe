import { beforeAll, describe, expect, it } from 'vitest'
import { hasPeer } from '../support/peer-tool.js'
import { faultsOf, measurePerplexity, type Reading } from './perplexity.js'

beforeAll(() => {
  if (!hasPeer('perplexity-check'))
    throw new Error("The tool that measures perplexity is not built; run 'npm run build:peers' and repeat.")
})

// Some thousand tokens; `npm run soak` reads tens of thousands.
const readings: readonly Reading[] = [
  { tokens: 2048, rows: 512, cacheType: 'f16' },
  { tokens: 2048, rows: 512, cacheType: 'q8_0' },
  { tokens: 512, rows: 1, cacheType: 'f16' },
]

describe('a text is foretold by our kernels as by upstream', () => {
  it.each(readings)('$rows tokens at once, cache $cacheType', { timeout: 180_000 }, async (reading) => {
    const found = await measurePerplexity(reading)
    expect(found.tokens).toBe(reading.tokens)
    expect(faultsOf(found)).toEqual([])
    // Not the same to the last bit, or one of the two was not asked.
    expect(found.divergence).toBeGreaterThan(0)
  })
})
