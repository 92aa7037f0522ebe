import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cycles, predict } from '../support/script.js'
import { draftModel, patience, settled, testEngines, turn, type TestEngine } from './test-engine.js'

const engines = testEngines()
const drafts = {
  none: () => undefined,
  all: draftModel(),
  some: draftModel({ blind: [1, 3, 4] }),
} as const
const requests = 16
const longest = 48

interface Ask {
  readonly prompt: string
  readonly maxTokens: number
  readonly stop: readonly string[]
  /** Most tokens proposed per step, whenever there are some. */
  readonly draftTokens: number
  /** Whether the draft model is asked too. */
  readonly draftModel: boolean
  readonly priority: number
  /** Turns of the event loop before it arrives. */
  readonly arrival: number
  /** Tokens after which it is cancelled; none: never. */
  readonly cancelAfter: number | undefined
  /** Tokens it may lie unread, and the turns its reader sleeps; none: it reads everything. */
  readonly reader: { readonly buffer: number; readonly sleep: number } | undefined
}

/** What the answer may say once more: as much of a key's cycle, then perhaps something else that would change the vote. */
const phrases = fc.record({
  of: fc.nat({ max: 3 }),
  length: fc.integer({ min: 2, max: 9 }),
  bait: fc.constantFrom('', '!!', '?', 'K3', 'K7K7'),
})

const prompts = fc
  .tuple(
    fc.array(phrases, { maxLength: 2 }),
    fc.array(fc.integer({ min: 0, max: cycles.length - 1 }), { maxLength: 4 }),
    fc.nat({ max: 70 }),
  )
  .map(([said, keys, filler]) => {
    const begin = said.map(({ of, length, bait }) => beginning(keys[of % Math.max(1, keys.length)], length) + bait)
    return `${begin.join('.')}${'.'.repeat(filler)}${keys.map((key) => `K${key}`).join('')}${filler % 2 ? '!' : ''}`
  })
  .filter(isCertain)

/** Of those keys' cycles whose tokens are whole characters. */
function beginning(key: number | undefined, length: number): string {
  const tokens = cycles[key ?? -1]?.tokens ?? []
  return tokens.every(({ length: bytes }) => bytes === 1) && key !== 7 ? tokens.slice(0, length).join('') : ''
}

function isCertain(prompt: string): boolean {
  try {
    predict(prompt, { maxTokens: longest })
    return true
  } catch {
    return false
  }
}

const asks: fc.Arbitrary<Ask> = fc.record({
  prompt: prompts,
  maxTokens: fc.integer({ min: 1, max: longest }),
  stop: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.constantFrom(['xyz'], ['fg', 'q'], ['🙂🙂'], ['89'], ['x€', '🙂x€y'], ['absent']),
  ),
  draftTokens: fc.constantFrom(0, 3, 32),
  draftModel: fc.boolean(),
  priority: fc.integer({ min: -1, max: 1 }),
  arrival: fc.nat({ max: 30 }),
  cancelAfter: fc.option(fc.nat({ max: 20 }), { nil: undefined, freq: 4 }),
  reader: fc.option(fc.record({ buffer: fc.integer({ min: 1, max: 12 }), sleep: fc.nat({ max: 8 }) }), {
    nil: undefined,
    freq: 2,
  }),
})

const shapes = fc.record({
  contextSize: fc.constantFrom(256, 512, 1024),
  maxSequences: fc.constantFrom(2, 5, 16),
  cachedSequences: fc.constantFrom(0, 1, 3, 16),
  cacheTokens: fc.constantFrom(0, 64, 200, 1024),
  cacheBytes: fc.constantFrom(0, 40_000, 2 ** 22),
  batchSize: fc.constantFrom(16, 40, 256),
  microBatchSize: fc.constantFrom(16, 64),
  stepTargetMs: fc.constantFrom(0.01, 50),
})
// What the draft model knows: nothing since there is none, all that the model knows, or some of it.
const draftKinds = fc.constantFrom('none', 'all', 'some')

/** Runs one request and returns what its reader saw, whole or up to its cancellation. */
async function run(engine: TestEngine, ask: Ask, tokens: Int32Array): Promise<string> {
  for (let turns = 0; turns < ask.arrival; turns++) await turn()
  const { maxTokens, stop, priority, draftTokens, draftModel } = ask
  const id = engine.submit(tokens, {
    maxTokens,
    stop,
    priority,
    draftTokens,
    draftModel,
    adaptDrafts: false,
    ignoreEos: false,
    bufferTokens: ask.reader?.buffer ?? 1,
  })
  const { inbox } = engine
  if (ask.cancelAfter !== undefined) {
    void inbox.begun(id, Math.min(ask.cancelAfter, ask.reader?.buffer ?? Infinity)).then(() => engine.cancel(id))
  }
  if (ask.reader === undefined) engine.acknowledge(id, -1)
  while (inbox.finish(id) === undefined) {
    const read = inbox.tokens.get(id) ?? 0
    for (let turns = 0; turns < (ask.reader?.sleep ?? 0); turns++) await turn()
    if (ask.reader !== undefined) engine.acknowledge(id, read)
    await Promise.race([inbox.begun(id, read + 1), turn()])
  }
  return inbox.text(id)
}

describe('16 generations at once', () => {
  it(
    'each equal their solo run, whatever arrives, leaves, waits or is cancelled',
    { timeout: 120_000 * patience },
    async () => {
      const seen = { preemptions: 0, parked: 0, cancelled: 0, accepted: 0, rejected: 0, draftModelSteps: 0 }
      const property = fc.asyncProperty(
        shapes,
        draftKinds,
        fc.array(asks, { minLength: requests, maxLength: requests }),
        async (shape, draft, all) => {
          const engine = await engines(shape, drafts[draft]())
          const watch = setInterval(() => {
            try {
              seen.parked += engine.stats().parked
            } catch {
              clearInterval(watch) // time was up in the middle of a run, and its engine is closed
            }
          }, 1)
          const tokens = await Promise.all(all.map(({ prompt }) => engine.tokenize(prompt)))
          const solo: string[] = []
          for (const [index, { maxTokens, stop }] of all.entries()) {
            solo.push(await engine.answer(tokens[index]!, { maxTokens, stop, ignoreEos: false }))
          }
          const texts = await Promise.all(all.map((ask, index) => run(engine, ask, tokens[index]!)))
          clearInterval(watch)
          for (const [index, { cancelAfter }] of all.entries()) {
            if (cancelAfter === undefined) expect(texts[index]).toBe(solo[index])
            else expect(solo[index]!.startsWith(texts[index]!)).toBe(true)
            seen.cancelled += cancelAfter === undefined ? 0 : 1
          }
          const stats = await settled(engine, 1)
          expect(stats).toMatchObject({ running: 0, waiting: 0, parked: 0, cellsUsed: 0 })
          seen.preemptions += stats.preemptions
          seen.accepted += stats.acceptedTokens
          seen.draftModelSteps += stats.draftModelSteps
          seen.rejected += stats.draftTokens - stats.acceptedTokens
          await engine.close()
        },
      )
      await fc.assert(property, { numRuns: 60, interruptAfterTimeLimit: 15_000 * patience, endOnFailure: true })
      expect(seen.preemptions).toBeGreaterThan(0)
      expect(seen.parked).toBeGreaterThan(0)
      expect(seen.cancelled).toBeGreaterThan(0)
      expect(seen.accepted).toBeGreaterThan(0)
      expect(seen.rejected).toBeGreaterThan(0)
      expect(seen.draftModelSteps).toBeGreaterThan(0)
    },
  )

  it('say what the script says', async () => {
    const engine = await engines({ maxSequences: 10 })
    const prompts = cycles.map((_, key) => `a K${key} b`)
    const texts = await Promise.all(
      prompts.map(async (prompt) => engine.answer(await engine.tokenize(prompt), { maxTokens: 40, ignoreEos: false })),
    )
    expect(texts).toEqual(prompts.map((prompt) => predict(prompt, { maxTokens: 40 }).text))
  })
})
