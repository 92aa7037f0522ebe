import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { load, type CacheType, type ModelOptions } from '../../lib/index.js'
import { randomModel } from '../support/random-model.js'
import { predict } from '../support/script.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { noRoot } from './bare-addon.mjs'
import { addonUnderTest, testEngines } from './test-engine.js'

const directory = temporaryDirectory()
const scripted = join(directory.path, 'scripted.gguf')
/** Its heads are 16 wide: less than a block of any quantised type. */
const narrow = join(directory.path, 'narrow.gguf')
beforeAll(async () => {
  await writeScriptedModel(scripted)
  writeFileSync(narrow, randomModel('llama'))
})

const plain: readonly CacheType[] = ['f32', 'f16', 'bf16']
const quantised: readonly CacheType[] = ['q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0', 'iq4_nl']
const types = [...plain, ...quantised]
const attention = ['auto', 'on', 'off'] as const
const prompt = `${'.'.repeat(300)}K2K2K5`
const longer = `${prompt}abc`
const settings = { probe: false, contextSize: 512, parallel: 2, threads: 1 } as const
const greedy = { temperature: 0, maxTokens: 12 }

/** What two prompts that begin alike are answered with, or the code of the refusal. */
async function answers(path: string, options: ModelOptions): Promise<string> {
  try {
    const model = await load(path, { ...settings, ...options })
    try {
      const first = await model.generate(prompt, greedy)
      const second = await model.generate(longer, greedy)
      expect(second.usage.cachedTokens).toBeGreaterThan(300)
      return [first.text, second.text].join(' ')
    } finally {
      await model.close()
    }
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error)
  }
}

const expected = [prompt, longer].map((text) => predict(text, greedy).text).join(' ')

describe.each(attention)('with flash attention %s', (flashAttention) => {
  it.each(types)('every type of values goes with keys of the type %s, or is refused by name', async (keyType) => {
    for (const valueType of types) {
      const needsFlash = flashAttention === 'off' && quantised.includes(valueType)
      const found = await answers(scripted, { keyType, valueType, flashAttention })
      expect(found, `values of the type ${valueType}`).toBe(needsFlash ? 'ERR_OPTION_INVALID' : expected)
    }
  })

  it.each(quantised)('heads that are narrower than a block refuse keys or values of the type %s', async (type) => {
    expect(await answers(narrow, { keyType: type, flashAttention })).toBe('ERR_UNSUPPORTED')
    const code = flashAttention === 'off' ? 'ERR_OPTION_INVALID' : 'ERR_UNSUPPORTED'
    expect(await answers(narrow, { valueType: type, flashAttention })).toBe(code)
  })
})

describe.each([
  ['q8_0', 0.56],
  ['q4_0', 0.33],
] as const)('a cache of the type %s', (type, share) => {
  const engines = testEngines()
  const shape = { contextSize: 1024, maxSequences: 2, cachedSequences: 6, cacheTokens: 1024 }

  it('takes less room for the same tokens, and comes back from what was saved of it', async () => {
    const addon = addonUnderTest()
    const [small, large, other] = [
      await engines({ ...shape, keyType: type, valueType: type }),
      await engines(shape),
      await engines({ ...shape, keyType: type, valueType: type }),
    ]
    const tokens = await small.tokenize(prompt)
    const bytes: number[] = []
    for (const engine of [small, large]) {
      expect(await engine.answer(tokens, { session: 1, maxTokens: 12 })).toBe(predict(prompt, greedy).text)
      bytes.push((await addon.sessionSave(engine.native, 1))?.state.length ?? 0)
    }
    expect((bytes[0] ?? 0) / (bytes[1] ?? 1)).toBeLessThan(share)
    const saved = await addon.sessionSave(small.native, 1)
    if (saved === undefined) throw new Error('nothing was saved')
    await addon.sessionRestore(other.native, 7, noRoot, saved)
    const next = other.submit(await other.tokenize(longer), { session: 7, maxTokens: 12 })
    expect(await other.inbox.ended(next)).toBe(predict(longer, greedy).text)
    expect(other.inbox.finish(next)?.cachedTokens).toBeGreaterThan(300)
    await expect(addon.sessionRestore(large.native, 7, noRoot, saved)).rejects.toMatchObject({
      code: 'ERR_STATE_MISMATCH',
    })
  })
})
