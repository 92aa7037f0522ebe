import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { NativeSampler } from '../../lib/native.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { openRawEngine, type RawEngine } from './raw-engine.js'

const directory = temporaryDirectory()
const everything = 1_000_000
const prompt = 'hello world'
let engine: RawEngine

beforeAll(async () => {
  const path = await directory.write('random.gguf', randomModel('llama', { seed: 5 }))
  engine = await openRawEngine(path, { threads: 1, maxSequences: 16 })
})
afterAll(() => engine.close())

interface Entry {
  readonly token: number
  readonly logprob: number
}

/** What the model says to a prompt, most likely first, before any sampling. */
async function distribution(given: string | Int32Array = prompt): Promise<Entry[]> {
  const { logprobs } = await engine.run(given, { maxTokens: 1, logprobs: everything, ignoreEos: true })
  return (logprobs[0] ?? []).slice(1)
}

/** How often each token comes first in `count` draws with different seeds. */
async function draws(sampler: Partial<NativeSampler>, count: number): Promise<Map<number, number>> {
  const seeds = Array.from({ length: count }, (_, seed) => seed)
  const results = await Promise.all(
    seeds.map((seed) => engine.run(prompt, { maxTokens: 1, sampler: { temperature: 1, ...sampler, seed } })),
  )
  const counts = new Map<number, number>()
  for (const {
    tokens: [token = -1],
  } of results)
    counts.set(token, (counts.get(token) ?? 0) + 1)
  return counts
}

const greedy = (sampler: Partial<NativeSampler> = {}, given: string | Int32Array = prompt) =>
  engine.run(given, { maxTokens: 1, sampler }).then(({ tokens }) => tokens[0])

/** Compares draws with probabilities: every count within five standard deviations of what is expected. */
function expectDrawn(counts: ReadonlyMap<number, number>, probabilities: ReadonlyMap<number, number>): void {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  for (const token of counts.keys()) expect(probabilities.has(token), `token ${token}`).toBe(true)
  for (const [token, probability] of probabilities) {
    const deviation = Math.sqrt(total * probability * (1 - probability))
    expect(Math.abs((counts.get(token) ?? 0) - total * probability), `token ${token}`).toBeLessThanOrEqual(
      5 * deviation + 1,
    )
  }
}

function normalized(entries: readonly Entry[], temperature = 1): Map<number, number> {
  const weights = entries.map(({ token, logprob }) => [token, Math.exp(logprob / temperature)] as const)
  const sum = weights.reduce((total, [, weight]) => total + weight, 0)
  return new Map(weights.map(([token, weight]) => [token, weight / sum]))
}

describe('log probabilities', () => {
  it('are those of the whole distribution, most likely first, the chosen one before them', async () => {
    const all = await distribution()
    expect(all.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 4)
    expect(all.map(({ logprob }) => logprob)).toEqual(all.map(({ logprob }) => logprob).toSorted((a, b) => b - a))
    const sampler = { temperature: 1, seed: 12 }
    const { tokens, logprobs } = await engine.run(prompt, { maxTokens: 20, logprobs: 3, sampler, ignoreEos: true })
    expect(logprobs.length).toBe(20)
    for (const [index, [chosen, ...best]] of logprobs.entries()) {
      expect(chosen?.token).toBe(tokens[index])
      expect(best.length).toBe(3)
      const same = best.find(({ token }) => token === chosen?.token)
      if (same !== undefined) expect(same.logprob).toBeCloseTo(chosen?.logprob ?? NaN, 5)
    }
  })

  it('are the chosen ones alone with no alternatives, and none when not asked for', async () => {
    const alone = await engine.run(prompt, { maxTokens: 2, logprobs: 0, ignoreEos: true })
    expect(alone.logprobs.map((entries) => entries.length)).toEqual([1, 1])
    expect((await engine.run(prompt, { maxTokens: 2 })).logprobs).toEqual([])
  })
})

describe('greedy', () => {
  it('is the most likely token, whatever else is set', async () => {
    const [best, second] = await distribution()
    expect((best?.logprob ?? 0) - (second?.logprob ?? 0)).toBeGreaterThan(1e-3)
    const same: Partial<NativeSampler>[] = [
      { temperature: 0 },
      { temperature: 0, topK: 5, topP: 0.1, minP: 0.9, seed: 7 },
      { temperature: 1, topK: 1 },
      { temperature: 5, topP: 0, seed: 3 },
      { temperature: 5, minP: 1, seed: 3 },
      { temperature: 0, dryMultiplier: 1 },
      { temperature: 0, xtcProbability: 1, xtcThreshold: 0 },
    ]
    for (const sampler of same) expect(await greedy(sampler), JSON.stringify(sampler)).toBe(best?.token)
  })
})

describe('a draw', () => {
  it('is the same for the same seed and another for another', async () => {
    const run = (seed: number) =>
      engine.run(prompt, { maxTokens: 20, ignoreEos: true, sampler: { temperature: 1, seed } })
    const texts = await Promise.all([1, 1, 2, 0xffffffff, 0xffffffff].map(run))
    expect(texts[1]?.tokens).toEqual(texts[0]?.tokens)
    expect(texts[2]?.tokens).not.toEqual(texts[0]?.tokens)
  })

  it('follows the distribution at any temperature', async () => {
    const all = await distribution()
    for (const temperature of [0.5, 1, 2]) expectDrawn(await draws({ temperature }, 400), normalized(all, temperature))
  })

  it.each([2, 3, 8])('with topK %i is one of so many', async (topK) => {
    expectDrawn(await draws({ topK }, 300), normalized((await distribution()).slice(0, topK)))
  })

  it.each([0.05, 0.3, 0.7])('with topP %f is one of the fewest that reach it', async (topP) => {
    const all = await distribution()
    let sum = 0
    const size = all.findIndex(({ logprob }) => (sum += Math.exp(logprob)) >= topP) + 1
    expectDrawn(await draws({ topP }, 300), normalized(all.slice(0, size)))
  })

  it.each([0.2, 0.5, 0.9])('with minP %f is at least so likely beside the best', async (minP) => {
    const all = await distribution()
    const least = (all[0]?.logprob ?? 0) + Math.log(minP)
    expectDrawn(await draws({ minP }, 300), normalized(all.filter(({ logprob }) => logprob >= least)))
  })

  it('with typicalP is one of those nearest to the entropy that reach it', async () => {
    const all = await distribution()
    const entropy = -all.reduce((sum, { logprob }) => sum + Math.exp(logprob) * logprob, 0)
    const nearest = all.toSorted((a, b) => Math.abs(-a.logprob - entropy) - Math.abs(-b.logprob - entropy))
    let sum = 0
    const size = nearest.findIndex(({ logprob }) => (sum += Math.exp(logprob)) > 0.4) + 1
    expectDrawn(await draws({ typicalP: 0.4 }, 300), normalized(nearest.slice(0, size)))
  })

  it('with xtc leaves out the likely ones but the last of them', async () => {
    const all = await distribution()
    const threshold = Math.exp(((all[2]?.logprob ?? 0) + (all[3]?.logprob ?? 0)) / 2)
    const counts = await draws({ xtcProbability: 1, xtcThreshold: threshold }, 300)
    expectDrawn(counts, normalized(all.slice(2)))
  })
})

describe('biases', () => {
  it('forbid, force and shift tokens', async () => {
    const [best, second, third] = await distribution()
    const bias = (...pairs: (readonly [token: number | undefined, value: number])[]) => ({
      biasTokens: Int32Array.from(pairs, ([token = 0]) => token),
      biasValues: Float32Array.from(pairs, ([, value]) => value),
    })
    const gap = (best?.logprob ?? 0) - (second?.logprob ?? 0)
    expect(await greedy(bias([best?.token, -Infinity]))).toBe(second?.token)
    expect(await greedy(bias([best?.token, -Infinity], [second?.token, -Infinity]))).toBe(third?.token)
    expect(await greedy(bias([17, 1000]))).toBe(17)
    expect(await greedy(bias([second?.token, gap * 0.99]))).toBe(best?.token)
    expect(await greedy(bias([second?.token, gap * 1.01]))).toBe(second?.token)
    expect((await draws(bias([best?.token, -Infinity]), 200)).has(best?.token ?? -1)).toBe(false)
  })
})

describe('penalties', () => {
  // A prompt of one token four times over, which a bias lifts a little above the best of the others.
  const gap = 1.5
  const count = 4
  let tokens: Int32Array
  let repeated: number
  let second: number
  let lift: number
  const sample = (sampler: Partial<NativeSampler>, more = 0) => {
    const biasTokens = Int32Array.of(repeated, second)
    return greedy({ biasTokens, biasValues: Float32Array.of(lift + more, more), ...sampler }, tokens)
  }
  beforeAll(async () => {
    tokens = Int32Array.from([...(await engine.tokenize('xxxx'))])
    repeated = tokens[0] ?? 0
    expect([...tokens]).toEqual(Array.from({ length: count }, () => repeated))
    const all = await distribution(tokens)
    const other = all.find(({ token }) => token !== repeated)
    second = other?.token ?? 0
    lift = (other?.logprob ?? 0) + gap - (all.find(({ token }) => token === repeated)?.logprob ?? 0)
  })

  it('for presence subtract once', async () => {
    expect(await sample({ presencePenalty: gap * 0.99 })).toBe(repeated)
    expect(await sample({ presencePenalty: gap * 1.01 })).toBe(second)
  })

  it('for frequency subtract once for each time', async () => {
    expect(await sample({ frequencyPenalty: (gap / count) * 0.99 })).toBe(repeated)
    expect(await sample({ frequencyPenalty: (gap / count) * 1.01 })).toBe(second)
    expect(await sample({ frequencyPenalty: (gap / count) * 1.01, repeatLastN: count - 1 })).toBe(repeated)
    expect(await sample({ frequencyPenalty: (gap / (count - 1)) * 1.01, repeatLastN: count - 1 })).toBe(second)
  })

  it('look back over no token if told so', async () => {
    expect(await sample({ presencePenalty: 1000, repeatPenalty: 1000, repeatLastN: 0 })).toBe(repeated)
  })

  it('for repeats divide a positive logit', async () => {
    const flips = async (repeatPenalty: number, more: number) => (await sample({ repeatPenalty }, more)) === second
    let low = 1
    let high = 3
    for (let i = 0; i < 24; i++) {
      const middle = (low + high) / 2
      if (await flips(middle, 20)) high = middle
      else low = middle
    }
    // The repeated one's logit x, lifted by 20, flips where x / penalty = x - gap: that gives x.
    const logit = (gap * low) / (low - 1) - 20
    for (const more of [10, 40]) {
      const expected = (logit + more) / (logit + more - gap)
      expect(await flips(1 + (expected - 1) * 0.98, more)).toBe(false)
      expect(await flips(1 + (expected - 1) * 1.02, more)).toBe(true)
    }
    // Far below zero every other token would win, so it is forbidden; then x * penalty = x - gap.
    const all = await distribution(tokens)
    const others = all.map(({ token }) => token).filter((token) => token !== repeated && token !== second)
    const below = async (repeatPenalty: number, more: number) => {
      const biasTokens = Int32Array.of(repeated, second, ...others)
      const biasValues = Float32Array.of(lift + more, more, ...others.map(() => -Infinity))
      return (await greedy({ biasTokens, biasValues, repeatPenalty }, tokens)) === second
    }
    const negative = 1 - gap / (logit - 40)
    expect(await below(1 + (negative - 1) * 0.98, -40)).toBe(false)
    expect(await below(1 + (negative - 1) * 1.02, -40)).toBe(true)
  })

  it('that are large keep any token from coming twice', async () => {
    const { tokens: produced } = await engine.run(Int32Array.of(1), {
      maxTokens: 40,
      ignoreEos: true,
      sampler: { presencePenalty: 1000, repeatLastN: 64 },
    })
    expect(new Set(produced).size).toBe(40)
  })
})

describe('samplers with a memory', () => {
  const base = { temperature: 1, seed: 4 }
  const cases: readonly [name: string, Partial<NativeSampler>][] = [
    ['mirostat 1', { mirostat: 1, mirostatTau: 2 }],
    ['mirostat 2', { mirostat: 2, mirostatTau: 2 }],
    ['xtc', { xtcProbability: 1, xtcThreshold: 0.001 }],
    ['typicalP', { typicalP: 0.2 }],
  ]
  it.each(cases)('%s changes the answer, the same way for the same seed', async (_name, sampler) => {
    const run = (more: Partial<NativeSampler>) =>
      engine.run(prompt, { maxTokens: 40, ignoreEos: true, sampler: { ...base, ...more } })
    // One after another: sequences that share a batch may differ in the last bit.
    const [plain, first, second] = [await run({}), await run(sampler), await run(sampler)]
    expect(first.finish.reason).toBe('length')
    expect(first.tokens).toEqual(second.tokens)
    expect(first.tokens).not.toEqual(plain.tokens)
  })

  it.each([1, 2])('mirostat %i takes less likely tokens for a higher target', async (mirostat) => {
    const surprise = async (mirostatTau: number) => {
      const sampler = { temperature: 1, mirostat, mirostatTau, mirostatEta: 0.2, seed: 2 }
      const { logprobs } = await engine.run(prompt, { maxTokens: 150, ignoreEos: true, logprobs: 0, sampler })
      return logprobs.slice(50).reduce((sum, [chosen]) => sum - (chosen?.logprob ?? 0), 0) / 100
    }
    expect(await surprise(1)).toBeLessThan((await surprise(4)) - 0.2)
  })

  it('dry keeps a sequence from coming again', async () => {
    const repeated = await engine.tokenize(`${'abcdefgh '.repeat(4)}abcdefg`)
    const [best] = await distribution(repeated)
    const [forced] = await engine.tokenize('h')
    const bias = { biasTokens: Int32Array.of(forced ?? 0), biasValues: Float32Array.of(100) }
    expect(await greedy(bias, repeated)).toBe(forced)
    const dry = { dryMultiplier: 100, dryBase: 2, dryAllowedLength: 2, dryLastN: 64, dryBreakers: [] }
    expect(await greedy({ ...bias, ...dry }, repeated)).toBe(best?.token)
    expect(await greedy({ ...bias, ...dry, dryAllowedLength: 60 }, repeated)).toBe(forced)
  })
})

describe('a grammar', () => {
  const run = (grammar: string, sampler: Partial<NativeSampler> = {}, maxTokens = 24) =>
    engine.run(prompt, { maxTokens, sampler: { ...sampler, grammar } })

  it.each([
    { temperature: 0 },
    { temperature: 1, seed: 3 },
    { temperature: 1, topK: 3, seed: 3 },
    { mirostat: 2, temperature: 1 },
  ])('allows nothing else with %j', async (sampler) => {
    expect((await run('root ::= [ab]+ "."', sampler)).text).toMatch(/^[ab]+\.?$/)
    expect(await run('root ::= "yes" | "no"', sampler)).toMatchObject({
      text: expect.stringMatching(/^(yes|no)$/) as string,
      finish: { reason: 'stop' },
    })
    expect((await run('root ::= "🙂é" [0-9] [0-9]', sampler)).text).toMatch(/^🙂é\d\d$/)
  })

  it('follows the distribution among what it allows', async () => {
    const all = await distribution()
    const piece = (token: number) => Buffer.from(nativeAddon().piece(engine.model, token)).toString()
    const allowed = all.filter(({ token }) => ['a', 'b'].includes(piece(token)))
    expect(allowed.length).toBeGreaterThanOrEqual(2)
    expectDrawn(await draws({ grammar: 'root ::= [ab] [ab]' }, 200), normalized(allowed))
  })

  it('comes before the samplers that cut: of the two best allowed ones each has its share', async () => {
    const grammar = 'root ::= [a-z] [a-z]'
    const everything = await draws({ grammar }, 200)
    const allowed = (await distribution()).filter(({ token }) => everything.has(token))
    const best = allowed.slice(0, 2)
    // At least one of the best two of all is forbidden: else this proves nothing.
    expect((await distribution()).slice(0, 2)).not.toEqual(best)
    expectDrawn(await draws({ grammar, topK: 2 }, 200), normalized(best))
    const least = Math.exp(best[1]!.logprob - best[0]!.logprob)
    expectDrawn(await draws({ grammar, minP: least * 0.999 }, 200), normalized(best))
  })

  it('that allows no more when the end is forbidden ends with an error, and others go on', async () => {
    const [ended, other] = await Promise.all([
      engine.run(prompt, { ignoreEos: true, sampler: { grammar: 'root ::= "a"' } }),
      engine.run(prompt, { ignoreEos: true }),
    ])
    expect(ended.finish).toMatchObject({ reason: 'error', errorCode: 'ERR_GRAMMAR' })
    expect(other.finish.reason).toBe('length')
  })

  it.each(['root ::= (', 'root ::= root "a"', 'other ::= "a"', 'root ::= missing'])(
    '%j is refused',
    async (grammar) => {
      expect((await run(grammar)).finish).toMatchObject({ reason: 'error', errorCode: 'ERR_GRAMMAR' })
    },
  )
})
