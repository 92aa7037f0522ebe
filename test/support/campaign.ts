import fc from 'fast-check'

/**
 * Checks each property with as many cases, and with the seed, that the arguments of the program say, and prints one JSON
 * object. A property that does not hold is shown with its smallest case, and makes the exit code 1.
 */
export async function runCampaign(properties: Readonly<Record<string, fc.IRawProperty<unknown>>>): Promise<void> {
  const [count = 100_000, seed = 1] = process.argv.slice(2).map(Number)
  const results: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(properties)) {
    const begin = performance.now()
    const { failed, numRuns, counterexample, errorInstance } = await fc.check(property, { seed, numRuns: count })
    const seconds = Math.round((performance.now() - begin) / 100) / 10
    results[name] = failed ? { numRuns, seconds, counterexample, error: String(errorInstance) } : { numRuns, seconds }
    if (failed) process.exitCode = 1
  }
  console.log(JSON.stringify({ count, seed, results }, undefined, 2))
}
