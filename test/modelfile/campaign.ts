/**
 * Tries the properties of Modelfiles on many of them:
 *
 *     npx tsx test/modelfile/campaign.ts [count of each kind] [seed]
 *
 * Prints one JSON object; a property that does not hold is shown with its seed and its smallest case (exit code 1).
 */
import fc from 'fast-check'
import { properties } from './properties.js'

const [count = 100_000, seed = 1] = process.argv.slice(2).map(Number)
const results: Record<string, unknown> = {}
for (const [name, property] of Object.entries<fc.IRawProperty<unknown>>(properties)) {
  const begin = performance.now()
  const { failed, numRuns, counterexample, errorInstance } = await fc.check(property, { seed, numRuns: count })
  const seconds = Math.round((performance.now() - begin) / 100) / 10
  results[name] = failed ? { numRuns, seconds, counterexample, error: String(errorInstance) } : { numRuns, seconds }
  if (failed) process.exitCode = 1
}
console.log(JSON.stringify({ count, seed, results }, undefined, 2))
