import { describe, expect, it } from 'vitest'
import { openModel, type GenerateOptions, type Model, type PromptPart, type Result } from '../../lib/model/index.js'
import { imagePart, mediaPairs, mediumOf, textPart, withPair, writePair } from '../support/media-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const greedy: GenerateOptions = { maxTokens: 12, temperature: 0, ignoreEos: true, logprobs: 0 }
const beginning = 'A long beginning that everybody shares, so that it is worth its cells: '

const firstLogprob = ({ logprobs }: Result): number => logprobs?.[0]?.[0]?.logprob ?? NaN

const ask = (model: Model, medium: PromptPart, options: GenerateOptions = {}, question = ' What is it?') =>
  model.generate([textPart(beginning), medium, textPart(question)], { ...greedy, ...options })

describe.each(mediaPairs)('media in prompts: %s with %s', (...pair) => {
  it('change the answer, and the same ones give the same answer', async () => {
    await withPair(directory.path, pair, {}, async (model) => {
      const first = await ask(model, mediumOf(pair, 1))
      const other = await ask(model, mediumOf(pair, 2))
      const again = await ask(model, mediumOf(pair, 1))
      expect(again.text).toBe(first.text)
      expect(Math.abs(firstLogprob(first) - firstLogprob(other))).toBeGreaterThan(1e-3)
      expect(Math.abs(firstLogprob(first) - firstLogprob(again))).toBeLessThan(1e-4)
      expect(model.metrics().media).toMatchObject({ encoded: 2, reused: 1, cached: 2 })
    })
  })

  it('say the same beside other requests as alone', async () => {
    await withPair(directory.path, pair, {}, async (model) => {
      const alone = await ask(model, mediumOf(pair, 1), { cache: { key: 'alone' } })
      const talk = model.generate('Some words that go on and on', { ...greedy, maxTokens: 40 })
      const [beside, other] = await Promise.all([
        ask(model, mediumOf(pair, 1), { cache: { key: 'beside' } }),
        ask(model, mediumOf(pair, 2), { cache: { key: 'beside' } }),
        talk,
      ])
      expect(beside.text).toBe(alone.text)
      expect(firstLogprob(other)).not.toBeCloseTo(firstLogprob(alone), 3)
    })
  })

  it('are not computed again by a request that begins alike', async () => {
    await withPair(directory.path, pair, { cacheTokens: 1024 }, async (model) => {
      const fresh = await ask(model, mediumOf(pair, 1), {}, ' What is it? And where?')
      const first = await ask(model, mediumOf(pair, 1), { cache: { key: 'shared' } })
      const second = await ask(model, mediumOf(pair, 1), { cache: { key: 'shared' } }, ' What is it? And where?')
      expect(second.text).toBe(fresh.text)
      // Of a model that keeps states only what ends at a checkpoint is of use.
      const covered = first.usage.inputTokens - ' What is it?'.length
      if (pair[0] !== 'lfm2') expect(second.usage.cachedTokens).toBeGreaterThanOrEqual(covered)
      const other = await ask(model, mediumOf(pair, 2), { cache: { key: 'shared' } })
      expect(other.usage.cachedTokens).toBeLessThan(covered)
    })
  })

  it('come back from main memory and from disk', async () => {
    // What can't be cut serves only requests that go on where one has ended.
    const cuts = pair[0] !== 'lfm2' && pair[0] !== 'gemma3'
    const folder = { cacheDirectory: `${directory.path}/cache-${pair.join('-')}` }
    let first = ''
    await withPair(directory.path, pair, { ...folder, parallel: 1 }, async (model) => {
      first = (await ask(model, mediumOf(pair, 1))).text
      await model.generate('Something else altogether that needs the cells for itself', greedy)
      const back = await ask(model, mediumOf(pair, 1))
      expect(back.text).toBe(first)
      if (cuts) expect(back.usage.cachedTokens).toBeGreaterThan(64)
    })
    await withPair(directory.path, pair, { ...folder, parallel: 1 }, async (model) => {
      const restarted = await ask(model, mediumOf(pair, 1))
      expect(restarted.text).toBe(first)
      if (cuts) expect(restarted.usage.cachedTokens).toBeGreaterThan(64)
    })
  })

  it('serve later requests as a whole, also when one was stopped in the middle of them', async () => {
    await withPair(directory.path, pair, { cacheTokens: 2048, contextSize: 2048 }, async (model) => {
      const medium = pair[1] === 'ultravox' ? mediumOf(pair, 1) : imagePart({ width: 480, height: 320, seed: 1 })
      const fresh = await ask(model, medium, { cache: { key: 'fresh' } })
      // Beside a stream prompts are computed in parts.
      const talk = model.generate('Some words that go on and on', { ...greedy, maxTokens: 1500 })
      const stops: number[] = []
      for (let least = beginning.length + 4; least < fresh.usage.inputTokens; least += 8) {
        const stopped = ask(model, medium, { progress: true, cache: { key: 'stopped' } })
        for await (const part of stopped) {
          if (part.type !== 'progress') continue
          if (part.computedTokens >= least) break
        }
        const after = await ask(model, medium, { cache: { key: 'stopped' } })
        expect(after.text).toBe(fresh.text)
        stops.push(least)
        if (stops.length === 4) break
      }
      talk.abort()
      await talk
    })
  })

  it('may be last in a prompt, and first, and one behind the other', async () => {
    await withPair(directory.path, pair, {}, async (model) => {
      const [one, two] = [mediumOf(pair, 1), mediumOf(pair, 2)]
      const last = await model.generate([textPart('See: '), one], greedy)
      const both = await model.generate([one, two], greedy)
      const swapped = await model.generate([two, one], greedy)
      expect(last.text).not.toBe('')
      expect(Math.abs(firstLogprob(both) - firstLogprob(swapped))).toBeGreaterThan(1e-4)
    })
  })

  it('bear penalties, speculation and a shift', async () => {
    await withPair(directory.path, pair, { contextSize: 512, parallel: 2 }, async (model) => {
      const penalties = { repeatPenalty: 1.3, repeatLastN: -1, frequencyPenalty: 0.5, dry: {} }
      expect((await ask(model, mediumOf(pair, 1), penalties)).usage.outputTokens).toBe(12)
      const plain = await ask(model, mediumOf(pair, 1), { maxTokens: 60 })
      const drafted = await ask(model, mediumOf(pair, 1), { maxTokens: 60, speculation: { adaptive: false } })
      expect(drafted.text).toBe(plain.text)
      const shifted = await ask(model, mediumOf(pair, 1), { maxTokens: 700, overflow: 'shift', keep: 100 })
      expect(shifted.usage.outputTokens).toBe(700)
    })
  })

  it('are computed again when their cells gave way', async () => {
    await withPair(directory.path, pair, { contextSize: 1024, parallel: 8, cacheBytes: 0 }, async (model) => {
      const options = { maxTokens: 150, logprobs: undefined }
      const alone = await ask(model, mediumOf(pair, 1), { ...options, cache: { key: 'alone' } })
      const crowd = Array.from({ length: 12 }, (_, index) =>
        ask(model, mediumOf(pair, 1 + (index % 2)), { ...options, priority: index % 3, cache: { key: `${index}` } }),
      )
      const all = await Promise.all(crowd)
      for (const [index, { text }] of all.entries()) if (index % 2 === 0) expect(text).toBe(alone.text)
    })
  })
})

describe('images whose parts see each other', () => {
  const setting = { contextSize: 4096, parallel: 4 }
  const open = async (imageSize: number) =>
    openModel(await writePair(directory.path, ['llama', 'gemma3'], { imageSize }), setting)

  it('are computed in one go each, however many there are', async () => {
    const model = await open(272) // 17² tokens: two of them are more than one go
    try {
      const seeds = [1, 2, 3]
      const alone: Result[] = []
      for (const seed of seeds) alone.push(await ask(model, imagePart({ seed }), { cache: { key: `alone ${seed}` } }))
      const talk = model.generate('Some words that go on and on', { ...greedy, maxTokens: 300 })
      // Encoded by now, so that they enter the engine at once.
      const all = seeds.map((seed) => ask(model, imagePart({ seed }), { cache: { key: `together ${seed}` } }))
      for (const [index, together] of (await Promise.all(all)).entries()) {
        const expected = alone[index] ?? together
        expect(together.usage.inputTokens).toBeGreaterThan(289)
        expect(together.text).toBe(expected.text)
        expect(firstLogprob(together)).toBeCloseTo(firstLogprob(expected), 3)
      }
      await talk
    } finally {
      await model.close()
    }
  })

  it('are refused if they are too large for that', async () => {
    const model = await open(368) // 23² tokens
    try {
      await expect(ask(model, imagePart())).rejects.toMatchObject({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringContaining('529 tokens') as string,
      })
    } finally {
      await model.close()
    }
  })
})
