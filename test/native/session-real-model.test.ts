import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel, type Message, type Model, type Session } from '../../lib/model/index.js'
import { asF16, f16Tolerance, smollm2Path } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const options = { temperature: 0, maxTokens: 24, logprobs: 0, seed: 1 } as const
const system = `You answer in one sentence. ${'The visitors of the museum ask about paintings, opening hours and the café. '.repeat(8)}`
const questions = ['When do you open on Sundays?', 'Who painted the large picture in the hall?']

describe('SmolLM2', () => {
  let model: Model
  let session: Session
  beforeAll(async () => {
    const path = await asF16(await smollm2Path(), directory.path)
    model = await openModel({ path }, { contextSize: 2048, parallel: 4, threads: 2 })
    session = await model.session({ system })
    await session.chat('Good morning! Where am I?', options)
  })
  afterAll(() => model.close())

  it('continues two forks as it does from scratch, within the tolerance', async () => {
    for (const question of questions) {
      const fork = await session.fork()
      const used = fork.usedTokens
      const branch = await fork.chat(question, options)
      expect(branch.usage.cachedTokens).toBeGreaterThanOrEqual(used - 1)

      const messages: readonly Message[] = [...session.messages, { role: 'user', content: question }]
      const scratch = await model.chat(messages, { ...options, cache: { key: `alone ${question}` } })
      expect(scratch.usage.cachedTokens).toBe(0)
      const ours = branch.logprobs?.map(([chosen]) => chosen) ?? []
      const theirs = scratch.logprobs?.map(([chosen]) => chosen) ?? []
      expect(ours.length).toBeGreaterThan(4)
      for (const [index, chosen] of ours.entries()) {
        expect(Math.abs((chosen?.logprob ?? 0) - (theirs[index]?.logprob ?? 9))).toBeLessThan(f16Tolerance)
        // Beyond a token that rounding decides otherwise the texts have nothing to do with one another.
        if (chosen?.token !== theirs[index]?.token) break
      }
      await fork.close()
    }
  })

  it('goes on under a control vector from a saved session as a fork does, and not without the vector', async () => {
    const { embeddingSize } = model.info
    const direction = Float32Array.from({ length: embeddingSize }, (_, index) => 0.3 * Math.sin(index))
    const adapters = [await model.controlVector({ directions: { 15: direction } })]
    const steered = await model.session({ system, adapters })
    const greeting = 'Good morning! Where am I?'
    expect((await steered.chat(greeting, options)).logprobs?.[0]).not.toEqual(
      (await model.chat([...session.messages.slice(0, 1), { role: 'user', content: greeting }], options)).logprobs?.[0],
    )
    const restore = await steered.save()
    await expect(model.session({ restore })).rejects.toMatchObject({ code: 'ERR_STATE_MISMATCH' })
    const back = await model.session({ restore, adapters, cache: { key: 'restored' } })
    const question = questions[0] ?? ''
    const restored = await back.chat(question, options)
    expect(restored.usage.cachedTokens).toBe(steered.usedTokens - 1)
    expect(restored.text).toBe((await (await steered.fork()).chat(question, options)).text)
  })

  it('goes on from a saved session, served from it', async () => {
    const path = join(directory.path, 'museum.session')
    await session.save(path)
    const back = await model.session({ restore: path, cache: { key: 'restored' } })
    expect(back.messages).toEqual(session.messages)
    const question = questions[0] ?? ''
    const restored = await back.chat(question, options)
    expect(restored.usage.cachedTokens).toBe(session.usedTokens - 1)
    const fork = await session.fork()
    expect(restored.text).toBe((await fork.chat(question, options)).text)
  })
})
