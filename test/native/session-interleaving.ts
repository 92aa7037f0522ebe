import fc from 'fast-check'
import type { Addon, NativeEngine, NativeEngineStats, NativeModel, NativeSnapshot } from '../../lib/native-types.js'
import { predict } from '../support/script.js'
import { createEngine, Inbox, noRoot, requestFor, tokenize } from './bare-addon.mjs'

/**
 * A model checker's view of the KV cache: actors with sessions of their own do what users do, in any order and at the same
 * time, on an engine that is short of cells, slots and main memory. Every answer must be the scripted model's, as if its
 * request ran alone, and when all is forgotten nothing may be left.
 */

/** One token each, so that tokens and their text are cut alike. */
type Piece = string

type Step =
  | {
      readonly do: 'say'
      readonly fork: boolean
      readonly fill: number
      readonly key: number
      readonly maxTokens: number
      readonly priority: number
      readonly cancelAfter: number | undefined
      readonly slow: boolean
    }
  | { readonly do: 'generate'; readonly share: number; readonly key: number; readonly tenant: string }
  | { readonly do: 'fork' | 'save' | 'forget' }
  | { readonly do: 'rewind'; readonly share: number }

export interface Run {
  readonly shape: {
    readonly contextSize: number
    readonly maxSequences: number
    readonly cachedSequences: number
    readonly cacheTokens: number
    readonly cacheBytes: number
    /** 0: no folder. */
    readonly diskBytes: number
    readonly batchSize: number
    readonly microBatchSize: number
  }
  /** Most tokens that its draft model, which is the model itself, may propose for a step; 0: there is none. */
  readonly draftTokens: number
  /** The steps of each actor; a number is how many turns of the event loop it waits first. */
  readonly actors: readonly (readonly (readonly [wait: number, step: Step])[])[]
}

/** What happened in all runs: the test is worth little if one of these stays 0. */
export interface Seen {
  answers: number
  cancelled: number
  rewound: number
  forked: number
  restored: number
  evictions: number
  preemptions: number
  cellHits: number
  memoryHits: number
  snapshotsDropped: number
  diskHits: number
  acceptedTokens: number
  draftModelSteps: number
}

export const nothingSeen = (): Seen => ({
  answers: 0,
  cancelled: 0,
  rewound: 0,
  forked: 0,
  restored: 0,
  evictions: 0,
  preemptions: 0,
  cellHits: 0,
  memoryHits: 0,
  snapshotsDropped: 0,
  diskHits: 0,
  acceptedTokens: 0,
  draftModelSteps: 0,
})

const share = fc.integer({ min: 0, max: 100 })
const key = fc.integer({ min: 0, max: 6 })

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('say' as const),
      fork: fc.boolean(),
      fill: fc.nat({ max: 140 }),
      key,
      maxTokens: fc.integer({ min: 1, max: 24 }),
      priority: fc.integer({ min: -1, max: 1 }),
      cancelAfter: fc.option(fc.nat({ max: 12 }), { nil: undefined, freq: 4 }),
      slow: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('generate' as const),
      share,
      key,
      tenant: fc.constantFrom('', 'other'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rewind' as const), share }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('fork' as const, 'save' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const) }) },
)

export const runs: fc.Arbitrary<Run> = fc.record({
  shape: fc.record({
    contextSize: fc.constantFrom(256, 512, 1024),
    maxSequences: fc.constantFrom(1, 2, 4),
    cachedSequences: fc.constantFrom(0, 1, 3, 8),
    cacheTokens: fc.constantFrom(0, 100, 1024),
    cacheBytes: fc.constantFrom(0, 60_000, 200_000, 2 ** 24),
    diskBytes: fc.constantFrom(0, 150_000, 2 ** 24),
    batchSize: fc.constantFrom(16, 64, 256),
    microBatchSize: fc.constantFrom(16, 64),
  }),
  draftTokens: fc.constantFrom(0, 0, 2, 8),
  actors: fc.array(fc.array(fc.tuple(fc.nat({ max: 6 }), steps), { minLength: 2, maxLength: 8 }), {
    minLength: 2,
    maxLength: 5,
  }),
})

function expectation(text: string, maxTokens: number): string | undefined {
  try {
    return predict(text, { maxTokens, ignoreEos: true }).text
  } catch {
    return undefined // two keys tie
  }
}

class Actor {
  /** What each of the two sessions was given and has answered; the second is the first one's fork. */
  readonly histories: [Piece[], Piece[]] = [[], []]
  constructor(
    readonly world: World,
    readonly number: number,
  ) {}

  session(fork: boolean): number {
    return 2 * this.number + (fork ? 2 : 1)
  }

  async perform(step: Step): Promise<void> {
    const { addon, engine, seen } = this.world
    switch (step.do) {
      case 'say':
        return this.#say(step)
      case 'generate': {
        const [history] = this.histories
        const prompt = [...history.slice(0, (history.length * step.share) / 100), `K${step.key}`, '!']
        await this.world.answer(prompt, { maxTokens: 6, cacheKey: step.tenant })
        return
      }
      case 'fork':
        if (await addon.sessionFork(engine, this.session(false), this.session(true))) {
          seen.forked++
          this.histories[1] = [...this.histories[0]]
        }
        return
      case 'rewind': {
        const session = this.session(false)
        const before = await addon.sessionTokens(engine, session)
        const length = Math.floor((before * step.share) / 100)
        await addon.sessionCut(engine, session, length)
        const after = await addon.sessionTokens(engine, session)
        // Another's request may have taken what was kept meanwhile.
        if (after > length) throw new Error(`a session cut to ${length} tokens has ${after}`)
        seen.rewound++
        this.histories[0] = this.histories[0].slice(0, length)
        return
      }
      case 'save':
        return this.#restore(await addon.sessionSave(engine, this.session(false)))
      case 'forget':
        await addon.sessionForget(engine, this.session(false))
        if ((await addon.sessionTokens(engine, this.session(false))) !== 0) throw new Error('a forgotten session lives')
        return
    }
  }

  async #say(step: Extract<Step, { do: 'say' }>): Promise<void> {
    const history = this.histories[step.fork ? 1 : 0]
    const prompt = [...history, ...new Array<Piece>(step.fill).fill('.'), `K${step.key}`, '?']
    const { maxTokens, priority, cancelAfter, slow } = step
    const options = { maxTokens, priority, cancelAfter, slow, session: this.session(step.fork) }
    const text = await this.world.answer(prompt, options)
    if (text !== undefined) this.histories[step.fork ? 1 : 0] = [...prompt, ...text]
  }

  async #restore(saved: NativeSnapshot | undefined): Promise<void> {
    if (saved === undefined) return
    const { addon, engine, seen } = this.world
    const tokens = await this.world.tokens(this.histories[0])
    if (saved.tokens.some((token, index) => token !== tokens[index]))
      throw new Error('a session saved tokens of others')
    try {
      await addon.sessionRestore(engine, this.session(true), noRoot, saved)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_CONTEXT_FULL') throw error
      return
    }
    seen.restored++
    this.histories[1] = this.histories[0].slice(0, saved.tokens.length)
  }
}

interface Asking {
  readonly maxTokens: number
  readonly priority?: number
  readonly session?: number
  readonly cacheKey?: string
  readonly cancelAfter?: number | undefined
  readonly slow?: boolean
}

const ids = new Map<Piece, number>()
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

class World {
  readonly inbox: Inbox
  readonly cells: number
  readonly drafts: { readonly draftTokens: number; readonly adaptDrafts: boolean }
  constructor(
    readonly addon: Addon,
    readonly model: NativeModel,
    readonly engine: NativeEngine,
    { cells, draftTokens }: { readonly cells: number; readonly draftTokens: number },
    readonly seen: Seen,
    inbox: Inbox,
  ) {
    this.inbox = inbox
    this.cells = cells
    this.drafts = { draftTokens, adaptDrafts: false }
  }

  async tokens(pieces: readonly Piece[]): Promise<number[]> {
    for (const piece of pieces) {
      if (ids.has(piece)) continue
      const [, id, ...more] = await tokenize(this.addon, this.model, piece) // behind BOS
      if (id === undefined || more.length > 0) throw new Error(`"${piece}" is not one token`)
      ids.set(piece, id)
    }
    return pieces.map((piece) => ids.get(piece) ?? -1)
  }

  /** The answer, checked; nothing if the script doesn't know it or it has no room. */
  async answer(
    prompt: readonly Piece[],
    { cancelAfter, slow = false, ...asking }: Asking,
  ): Promise<string | undefined> {
    const expected = expectation(prompt.join(''), asking.maxTokens)
    if (expected === undefined || prompt.length + asking.maxTokens > this.cells) return undefined
    const tokens = await this.tokens(prompt)
    const bufferTokens = slow ? 3 : 1_000_000
    const id = this.addon.engineSubmit(this.engine, requestFor(tokens, { ...asking, ...this.drafts, bufferTokens }))
    if (cancelAfter !== undefined) {
      const begun = this.inbox.begun(id, Math.min(cancelAfter, bufferTokens))
      void begun.then(() => this.addon.engineCancel(this.engine, id))
    }
    while (slow && this.inbox.finish(id) === undefined) {
      const read = this.inbox.tokens.get(id) ?? 0
      await Promise.race([this.inbox.begun(id, read + 1), turn()])
      await turn()
      this.addon.engineAcknowledge(this.engine, id, read)
    }
    const text = await this.inbox.ended(id)
    const finish = this.inbox.finish(id)
    const whole = finish?.reason !== 'abort'
    if (finish?.reason === 'error') throw new Error(`${finish.errorCode}: ${finish.errorMessage}`)
    if (whole ? text !== expected : !expected.startsWith(text)) {
      const got = JSON.stringify({ text, expected, prompt: prompt.join(''), asking, cached: finish?.cachedTokens })
      throw new Error(`an answer differs from its solo run: ${got}`)
    }
    if (whole) this.seen.answers++
    else this.seen.cancelled++
    return text
  }
}

/**
 * Performs a run on a new engine; throws if an answer is wrong or something is left at the end. The folder is that of the
 * runs before, as a process finds what earlier ones have left.
 */
export async function perform(
  { addon, model, directory }: { addon: Addon; model: NativeModel; directory: string },
  { shape: { diskBytes, ...shape }, ...run }: Run,
  seen: Seen,
): Promise<void> {
  const inbox = new Inbox()
  const files = diskBytes === 0 ? undefined : { directory, bytes: diskBytes, fingerprint: 'scripted' }
  const draft = run.draftTokens > 0 ? model : undefined
  const engine = await createEngine(addon, model, { ...shape, cacheFiles: files }, inbox.take, draft)
  try {
    const world = new World(addon, model, engine, { ...run, cells: shape.contextSize }, seen, inbox)
    const ended = await Promise.allSettled(
      run.actors.map(async (list, number) => {
        const actor = new Actor(world, number)
        for (const [wait, step] of list) {
          for (let turns = 0; turns < wait; turns++) await turn()
          await actor.perform(step)
        }
      }),
    )
    for (const end of ended) if (end.status === 'rejected') throw end.reason as Error
    for (let session = 1; session <= 2 * run.actors.length; session++) await addon.sessionForget(engine, session)
    await addon.cacheDrop(engine)
    count(seen, await empty(addon, engine))
  } finally {
    await addon.engineClose(engine)
  }
}

/** The engine's counters once nothing is left in it. */
async function empty(addon: Addon, engine: NativeEngine): Promise<NativeEngineStats> {
  const begin = Date.now()
  for (;;) {
    const stats = addon.engineStats(engine)
    const { running, waiting, parked, cellsUsed, cellsCached, snapshots, snapshotBytes } = stats
    const left = { running, waiting, parked, cellsUsed, cellsCached, snapshots, snapshotBytes }
    if (Object.values(left).every((value) => value === 0)) return stats
    if (Date.now() - begin > 10_000) throw new Error(`something is left: ${JSON.stringify(left)}`)
    await turn()
  }
}

const counted = [
  'evictions',
  'preemptions',
  'cellHits',
  'memoryHits',
  'snapshotsDropped',
  'diskHits',
  'acceptedTokens',
  'draftModelSteps',
] as const satisfies (keyof NativeEngineStats)[]

function count(seen: Seen, stats: NativeEngineStats): void {
  for (const name of counted) {
    seen[name] += stats[name]
  }
}
