/**
 * The perplexity of SmolLM2 over 20,000 tokens by our kernels beside upstream's, some five minutes on two cores:
 *
 *     npx tsx test/native/perplexity-campaign.ts
 *
 * Prints one JSON object; the exit code is 1 where the two are further apart than they may be.
 */
import { faultsOf, measurePerplexity, type Reading } from './perplexity.js'

const readings: readonly Reading[] = [
  { tokens: 20_000, rows: 512, cacheType: 'f16' },
  { tokens: 20_000, rows: 512, cacheType: 'q8_0' },
  { tokens: 5_000, rows: 1, cacheType: 'f16' },
  { tokens: 5_000, rows: 1, cacheType: 'q8_0' },
]

for (const reading of readings) {
  const found = await measurePerplexity(reading)
  const faults = faultsOf(found)
  console.log(JSON.stringify({ ...reading, ...found, faults }))
  if (faults.length > 0) process.exitCode = 1
}
