/**
 * Many random interleavings of requests and sessions on the scripted model, each on an engine of its own:
 *
 *     npx tsx test/native/session-interleaving-campaign.ts [count] [seed]
 *
 * Prints what was seen as one JSON object; ends with the failing run, its seed and exit code 1 where an answer differs
 * from its solo run, or something is left when all is forgotten.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { writeScriptedModel } from '../support/scripted-model.js'
import { bareAddon, loadModel } from './bare-addon.mjs'
import { nothingSeen, perform, runs } from './session-interleaving.js'

const [count = 5000, seed = Date.now() % 2 ** 31] = process.argv.slice(2).map(Number)
const directory = mkdtempSync(join(tmpdir(), 'llamero-interleaving-'))
const files = join(directory, 'files')
mkdirSync(files)
const addon = bareAddon(join(import.meta.dirname, '..', '..', 'build', 'Release'))
const begin = performance.now()
const seen = nothingSeen()
try {
  const model = await loadModel(addon, await writeScriptedModel(join(directory, 'scripted.gguf')))
  const property = fc.asyncProperty(runs, (run) => perform({ addon, model, directory: files }, run, seen))
  await fc.assert(property, { numRuns: count, seed })
  addon.modelClose(model)
  const seconds = Math.round((performance.now() - begin) / 100) / 10
  console.log(JSON.stringify({ count, seed, seconds, seen }, undefined, 2))
} finally {
  rmSync(directory, { recursive: true, force: true })
}
