import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadModel } from './bare-addon.mjs'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { nothingSeen, perform, runs } from './session-interleaving.js'
import { addonUnderTest, patience, scriptedModelFile } from './test-engine.js'

const path = scriptedModelFile()
const directory = temporaryDirectory()

describe('sessions and requests in any interleaving', () => {
  it('answer as if each ran alone, and leave nothing behind', { timeout: 120_000 * patience }, async () => {
    const addon = addonUnderTest()
    const model = await loadModel(addon, path())
    const seen = nothingSeen()
    const property = fc.asyncProperty(runs, (run) => perform({ addon, model, directory: directory.path }, run, seen))
    await fc.assert(property, { numRuns: 200, interruptAfterTimeLimit: 18_000 * patience, endOnFailure: true })
    addon.modelClose(model)
    for (const [name, times] of Object.entries(seen)) expect(`${name}: ${times > 0}`).toBe(`${name}: true`)
  })
})
