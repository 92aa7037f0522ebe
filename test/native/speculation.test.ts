import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statefulArchitectures, writeRandomModel } from '../support/random-model.js'
import { predict } from '../support/script.js'
import { smollm2Path } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { openRawEngine, type RawEngine, type RawRequest, type RawResult } from './raw-engine.js'
import { scriptedModelFile, settled, testEngines } from './test-engine.js'

const path = scriptedModelFile()
const always = { draftTokens: 16, adaptDrafts: false } as const

let engine: RawEngine
beforeAll(async () => {
  engine = await openRawEngine(path(), { threads: 1, contextSize: 512 })
})
afterAll(() => engine.close())

function timeless({ finish, logprobs, ...result }: RawResult): object {
  const { reason, inputTokens, outputTokens, errorCode } = finish
  const rounded = logprobs.map((entries) => entries.map(({ token, logprob }) => [token, logprob.toFixed(2)]))
  return { ...result, deltas: undefined, reason, inputTokens, outputTokens, errorCode, logprobs: rounded }
}

/** The same request with and without drafts; what differs is a failure. */
async function both(prompt: string, request: RawRequest = {}, on: RawEngine = engine): Promise<RawResult> {
  const without = await on.run(prompt, { cacheKey: 'without', ...request })
  const withDrafts = await on.run(prompt, { cacheKey: 'with', ...always, ...request })
  expect(timeless(withDrafts)).toEqual(timeless(without))
  expect(without.finish).toMatchObject({ draftTokens: 0, acceptedTokens: 0 })
  return withDrafts
}

// Key 0 says the alphabet, key 9 the digits and an end, key 7 an emoji byte by byte.
const alphabet = 'abcdefghijklmnopqrstuvwxyz'
const digits = '0123456789'

describe('an answer with drafts is the one without', () => {
  const cases: readonly [rule: string, prompt: string, request: RawRequest][] = [
    ['where it repeats the prompt', `${alphabet}K0`, { maxTokens: 60 }],
    ['where it repeats itself', 'K0', { maxTokens: 100 }],
    ['where the prompt goes on otherwise', 'abcdZZZZfgh!!ijkl??K0', { maxTokens: 60 }],
    ['where the prompt would change what is said', 'abK5K5K5K5cdK3K3K3efK1K1K1ghK0'.concat('K0'.repeat(40)), {}],
    ['at an end within a draft', `K9${digits}<|im_end|>Z01`, { maxTokens: 60 }],
    ['behind an end that is not to be', `K9${digits}<|im_end|>Z01`, { maxTokens: 40, ignoreEos: true }],
    ['with characters in several tokens', 'K7🙂🙂🙂', { maxTokens: 31 }],
    ['with log probabilities', `${alphabet}K0`, { maxTokens: 40, logprobs: 3 }],
    ['under penalties', `${alphabet}K0K3`, { maxTokens: 60, sampler: { repeatPenalty: 3, presencePenalty: 1 } }],
    [
      'under a grammar that ends a repetition',
      `${alphabet}K0`,
      { maxTokens: 40, sampler: { grammar: 'root ::= [a-f]+ [0-9]+' } },
    ],
    [
      'under a grammar that repeats',
      `${alphabet}K0`,
      { maxTokens: 40, sampler: { grammar: 'root ::= ("abcd" | "x")+' } },
    ],
    ['at temperature 1 with a seed', `${alphabet}K0K3K3`, { maxTokens: 80, sampler: { temperature: 1, seed: 7 } }],
    ['beyond a shift of the context', `K0${alphabet}`, { maxTokens: 200, shiftAt: 90, shiftKeep: 5, shiftDrop: 37 }],
    ['to the end of the context', `${alphabet}K0${'.'.repeat(400)}`, { maxTokens: -1 }],
  ]
  it.each(cases)('%s', async (_rule, prompt, request) => {
    const { finish } = await both(prompt, request)
    expect(finish.draftTokens).toBeGreaterThan(0)
  })

  it.each(Array.from({ length: 40 }, (_, index) => index + 1))('of %i tokens', async (maxTokens) => {
    const result = await both(`${alphabet}K0`, { maxTokens })
    expect(result.text).toBe(predict(`${alphabet}K0`, { maxTokens }).text)
    expect(result.finish.outputTokens).toBe(maxTokens)
  })

  it.each([...alphabet].map((letter, index) => alphabet.slice(index, index + 3) || letter))(
    'up to the stop string "%s"',
    async (stop) => {
      const { text, finish } = await both(`${alphabet}K0`, { maxTokens: 60, stop: [stop] })
      expect(text + stop).toBe(alphabet.slice(0, text.length) + stop)
      expect(finish.reason).toBe('stop')
    },
  )

  it('beside 15 others in few cells', async () => {
    const small = await openRawEngine(path(), { threads: 1, contextSize: 256, maxSequences: 16, cachedSequences: 4 })
    const prompts = Array.from({ length: 16 }, (_, index) => `${'.'.repeat(3 * index)}beK4beK4bdK${1 + (index % 6)}`)
    const results = await Promise.all(prompts.map((prompt) => small.run(prompt, { ...always, maxTokens: 60 })))
    for (const [index, { text }] of results.entries()) {
      expect(text).toBe((await small.run(prompts[index]!, { maxTokens: 60 })).text)
    }
    expect(small.stats()).toMatchObject({ running: 0, cellsUsed: 0 })
    await small.close()
  })
})

describe('the numbers of drafts', () => {
  it('say what was proposed and what became part of the answer without a step of its own', async () => {
    const before = engine.stats()
    const { finish } = await engine.run(`${alphabet}K0`, { ...always, maxTokens: 60, cacheKey: 'numbers' })
    const after = engine.stats()
    expect(finish.acceptedTokens).toBeGreaterThan(30)
    expect(finish.draftTokens).toBeGreaterThanOrEqual(finish.acceptedTokens)
    expect(after.steps - before.steps).toBe(finish.outputTokens - finish.acceptedTokens)
    expect(after.draftTokens - before.draftTokens).toBe(finish.draftTokens)
    expect(after.acceptedTokens - before.acceptedTokens).toBe(finish.acceptedTokens)
    expect(after.outputTokens - before.outputTokens).toBe(60)
    expect(after.promptTokens - before.promptTokens).toBe(finish.inputTokens)
  })

  it('are zero where nothing repeats', async () => {
    const { finish } = await engine.run('K0', { ...always, maxTokens: 20, cacheKey: 'nothing' })
    expect(finish).toMatchObject({ draftTokens: 0, acceptedTokens: 0 })
  })
})

describe('what was proposed in vain', () => {
  it('leaves no cells behind: a context that is filled to the last one has room for all', async () => {
    const prompt = `${'ab!!!!!!!!!!!!!!'.repeat(3)}K0`
    const lone = await openRawEngine(path(), { threads: 1, contextSize: 256, maxSequences: 1 })
    const { text, finish } = await lone.run(prompt, { ...always, draftTokens: 1, maxTokens: -1 })
    expect(finish.reason).toBe('context-full')
    expect(finish.draftTokens).toBeGreaterThan(finish.acceptedTokens)
    expect(text).toBe(predict(prompt, { maxTokens: finish.outputTokens }).text)
    expect(lone.stats().preemptions).toBe(0)
    await lone.close()
  })

  it('is no prefix for others', async () => {
    const own = await openRawEngine(path(), { threads: 1, cachedSequences: 4 })
    const prompt = `${'abZZZZZZZZZZ'.repeat(2)}K0`
    const { tokens, finish } = await own.run(prompt, { ...always, maxTokens: 4 })
    expect(finish.draftTokens).toBeGreaterThan(finish.acceptedTokens)
    const all = [...(await own.tokenize(prompt)), ...tokens.slice(0, 2), ...(await own.tokenize('ZZZZ'))]
    const { finish: next } = await own.run(Int32Array.from(all), { maxTokens: 1 })
    expect(next.cachedTokens).toBe(finish.inputTokens + 2)
    await own.close()
  })
})

describe('a reader that reads nothing', () => {
  const engines = testEngines()
  it.each([1, 2, 3, 5, 8, 30])('gets the %i tokens that its buffer holds and no more', async (bufferTokens) => {
    const slow = await engines()
    const id = slow.submit(await slow.tokenize(`${alphabet}K0`), { ...always, bufferTokens, maxTokens: 60 })
    await slow.inbox.begun(id, bufferTokens)
    await settled(slow)
    expect(slow.inbox.tokens.get(id)).toBe(bufferTokens)
    slow.acknowledge(id, -1)
    expect(await slow.inbox.ended(id)).toBe(predict(`${alphabet}K0`, { maxTokens: 60, ignoreEos: true }).text)
  })
})

describe('a model whose memory can not be cut', () => {
  const directory = temporaryDirectory()
  it.each(['gemma3', ...statefulArchitectures] as const)('of kind %s proposes nothing', async (kind) => {
    const file = await writeRandomModel(join(directory.path, `${kind}.gguf`), kind, { layers: 4 })
    const other = await openRawEngine(file, { threads: 1, contextSize: 512 })
    const tokens = Int32Array.from({ length: 80 }, (_, index) => 10 + (index % 4))
    const { finish } = await other.run(tokens, { ...always, maxTokens: 40, ignoreEos: true })
    expect(finish).toMatchObject({ outputTokens: 40, draftTokens: 0 })
    await other.close()
  })
})

describe('SmolLM2', () => {
  const source =
    'The committee met on Tuesday the 4th of March in the small hall behind the library. Mrs. Okonkwo opened the ' +
    'meeting at half past seven and read out the letters that had come since February. The treasurer reported that ' +
    '412 pounds and 60 pence were left in the account, enough for the new roof of the boat house.'
  const prompt =
    `<|im_start|>user\nRepeat the following text word for word:\n\n${source}<|im_end|>\n` +
    `<|im_start|>assistant\n${source.slice(0, 83)}`

  it('copies a text in less than half the steps, and says the same', { timeout: 180_000 }, async () => {
    const real = await openRawEngine(await smollm2Path(), { threads: 1, maxSequences: 1 })
    const options = { maxTokens: 48, ignoreEos: true }
    const without = await real.run(prompt, { ...options, cacheKey: 'without' })
    const withDrafts = await real.run(prompt, { ...options, ...always, cacheKey: 'with' })
    expect(withDrafts.tokens).toEqual(without.tokens)
    expect(withDrafts.finish.acceptedTokens).toBeGreaterThan(24)
    await real.close()
  })
})
