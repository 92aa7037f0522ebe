import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel, type Message, type Model, type Session } from '../../lib/model/index.js'
import { predict, renderChat } from '../support/script.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { randomBelow, seededRandom } from '../support/seeded-random.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const actors = 8
const steps = 40
const options = { temperature: 0, ignoreEos: true } as const

/** The answer of the whole conversation computed alone; undefined where two tokens nearly tie. */
function alone(messages: readonly Message[], maxTokens: number): string | undefined {
  try {
    return predict(renderChat(messages), { maxTokens, ignoreEos: true }).text
  } catch {
    return undefined
  }
}

/** Somebody with a conversation who does one thing after the other, beside others who do the same. */
class Actor {
  answers = 0
  cached = 0
  saved = 0
  readonly #model: Model
  readonly #random: () => number
  #session: Session

  constructor(model: Model, session: Session, seed: number) {
    this.#model = model
    this.#session = session
    this.#random = seededRandom(seed)
  }

  async act(): Promise<void> {
    const acts = [this.#ask, this.#ask, this.#ask, this.#fork, this.#rewind, this.#stop, this.#fail, this.#save]
    await acts[this.#upTo(acts.length)]?.call(this)
    if (this.#session.usedTokens > 500) await this.#session.rewind({ keep: 0 })
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  #upTo(count: number): number {
    return randomBelow(this.#random, count)
  }

  #question(): string {
    const key = `K${this.#upTo(7)} `
    return `${key.repeat(1 + this.#upTo(6))}${'.'.repeat(this.#upTo(80))}`
  }

  async #ask(): Promise<void> {
    const content = this.#question()
    const maxTokens = 1 + this.#upTo(20)
    const expected = alone([...this.#session.messages, { role: 'user', content }], maxTokens)
    if (expected === undefined) return
    const { text, usage } = await this.#session.chat(content, { ...options, maxTokens })
    expect(text).toBe(expected)
    this.answers++
    this.cached += usage.cachedTokens
  }

  async #fork(): Promise<void> {
    const before = this.#session
    this.#session = await before.fork()
    await Promise.all([this.#ask(), before.close()])
  }

  async #rewind(): Promise<void> {
    await this.#session.rewind(this.#upTo(this.#session.messages.length + 1))
  }

  async #stop(): Promise<void> {
    const generation = this.#session.chat(this.#question(), { ...options, maxTokens: 100 })
    for await (const part of generation) if (part.type === 'text' && this.#random() < 0.2) break
    const { text } = await generation
    expect(this.#session.messages.at(-1)?.content).toBe(text)
  }

  async #fail(): Promise<void> {
    const { messages } = this.#session
    const controller = new AbortController()
    const failing = this.#session.chat(this.#question(), { ...options, maxTokens: 400, signal: controller.signal })
    setTimeout(() => controller.abort(), this.#upTo(8))
    await failing.then(
      () => undefined,
      () => expect(this.#session.messages).toEqual(messages),
    )
  }

  /** The crowd may leave no room for it; then everything is as before. */
  async #save(): Promise<void> {
    const before = this.#session
    try {
      this.#session = await this.#model.session({ restore: await before.save() })
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_CONTEXT_FULL' })
      return
    }
    this.saved++
    expect(this.#session.messages).toEqual(before.messages)
    await before.close()
  }
}

describe.each([1, 2, 3])('sessions of many, in any order (seed %i)', (seed) => {
  let model: Model
  beforeAll(async () => {
    const path = await writeScriptedModel(join(directory.path, 'scripted.gguf'))
    // Too few cells for all of them: some give way, and some start over.
    model = await openModel({ path }, { contextSize: 1024, parallel: 6, threads: 1 })
  })
  afterAll(() => model.close())

  it('answer as each would alone, and leave no cells behind', { timeout: 120_000 }, async () => {
    const everybody = await Promise.all(
      Array.from({ length: actors }, async (_, index) => new Actor(model, await model.session(), 100 * seed + index)),
    )
    await Promise.all(
      everybody.map(async (actor) => {
        for (let step = 0; step < steps; step++) await actor.act()
      }),
    )
    const sum = (count: (actor: Actor) => number): number => everybody.reduce((total, actor) => total + count(actor), 0)
    expect(sum(({ answers }) => answers)).toBeGreaterThan((actors * steps) / 8)
    expect(sum(({ cached }) => cached)).toBeGreaterThan(1000)
    expect(sum(({ saved }) => saved)).toBeGreaterThan(actors)
    await Promise.all(everybody.map((actor) => actor.close()))
    await model.generate('K0', { ...options, maxTokens: 1, cache: { key: 'last' } })
    expect(model.metrics()).toMatchObject({ running: 0, waiting: 0, cellsUsed: 0, cellsCached: 2 })
  })
})
