import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import { randomModel } from '../support/random-model.js'
import { spmVocabulary } from '../support/tiny-vocabulary.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { openRawEngine, type RawEngine } from './raw-engine.js'

const directory = temporaryDirectory()
const mebibyte = 2 ** 20
const long = 'a'.repeat(2 * mebibyte)
const vocabulary = spmVocabulary([long])
const token = vocabulary.id(long)
let engine: RawEngine
beforeAll(async () => {
  const path = join(directory.path, 'long-token.gguf')
  writeFileSync(path, randomModel('llama', { vocabulary }))
  engine = await openRawEngine(path, { threads: 1, contextSize: 256 })
})
afterAll(() => engine.close())

describe('a token of two megabytes', () => {
  const bias = { biasTokens: Int32Array.of(token), biasValues: Float32Array.of(1000) }

  it('is said, and triggers no grammar: its search would overflow the stack', async () => {
    const trigger = { kind: 'pattern', pattern: '[\\s\\S]*?(b)', token: 0 } as const
    const lazy = { grammarLazy: true, grammar: 'root ::= "b"', grammarTriggers: [trigger] }
    const { text, finish } = await engine.run('a', { maxTokens: 3, sampler: { ...bias, ...lazy } })
    expect(finish).toMatchObject({ reason: 'length', outputTokens: 3 })
    expect(text.length).toBe(3 * long.length)
  })

  it('makes no text of more than 1 GiB: llama.cpp would count its bytes wrongly', async () => {
    const options = { removeSpecial: false, renderSpecial: false }
    const addon = nativeAddon()
    expect(await addon.detokenize(engine.model, Int32Array.of(token, token), options)).toHaveLength(2 * long.length)
    const many = new Int32Array(1100).fill(token)
    await expect(addon.detokenize(engine.model, many, options)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
  })
})
