// Terminates workers at random moments while they load, generate and close:
//   npx tsx test/native/teardown-soak.ts [terminations, 2000 unless given] [seed]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeScriptedModel } from '../support/scripted-model.js'

const [terminations = 2000, seed = Math.floor(Math.random() * 2 ** 30)] = process.argv.slice(2).map(Number)
const folder = mkdtempSync(join(tmpdir(), 'llamero-soak-'))
try {
  const path = await writeScriptedModel(join(folder, 'scripted.gguf'))
  const directory = process.env['LLAMERO_TEST_ADDON'] ?? join(import.meta.dirname, '..', '..', 'build', 'Release')
  const input = { directory, path, workers: 8, rounds: 10, terminations, longestMs: 200, seed }
  console.log(`seed ${seed}`)
  const program = join(import.meta.dirname, 'worker-rounds.mjs')
  const { status, signal } = spawnSync(process.execPath, [program, JSON.stringify(input)], { stdio: 'inherit' })
  if (signal !== null) console.error(`ended by ${signal}`)
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
