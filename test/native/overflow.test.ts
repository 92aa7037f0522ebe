import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel, type Message, type Model } from '../../lib/model/index.js'
import { predict, renderChat } from '../support/script.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const greedy = { temperature: 0, ignoreEos: true } as const
const contextSize = 128

describe('a model with a small context', () => {
  let model: Model
  beforeAll(async () => {
    const path = await writeScriptedModel(join(directory.path, 'scripted.gguf'))
    model = await openModel({ path }, { contextSize, threads: 1 })
  })
  afterAll(() => model.close())

  it('says with numbers that a prompt does not fit, unless it may be cut', async () => {
    const prompt = `K1..${'.'.repeat(200)}K2K2K2`
    await expect(model.generate(prompt, greedy)).rejects.toMatchObject({
      code: 'ERR_CONTEXT_FULL',
      details: { contextSize },
    })
    const { usage, text } = await model.generate(prompt, { ...greedy, overflow: 'truncate', maxTokens: 10 })
    expect(usage.inputTokens).toBe(contextSize - Math.floor((contextSize - 5) / 2))
    expect(text).toBe(predict('K1.K2K2K2', { maxTokens: 10 }).text)
    const kept = model.generate(prompt, { ...greedy, overflow: 'truncate', keep: -1 })
    await expect(kept).rejects.toMatchObject({ code: 'ERR_CONTEXT_FULL' })
  })

  it('answers a conversation without its oldest turns', async () => {
    const old: readonly Message[] = [
      { role: 'user', content: `K3${'.'.repeat(60)}` },
      { role: 'assistant', content: 'abc' },
    ]
    const system: Message = { role: 'system', content: 'S' }
    const last: Message = { role: 'user', content: `K4${'.'.repeat(40)}` }
    const options = { ...greedy, overflow: 'truncate', maxTokens: 10 } as const
    const { text } = await model.chat([system, ...old, ...old, last], options)
    expect(text).toBe(predict(renderChat([system, last]), { maxTokens: 10 }).text)
  })

  it('goes on beyond its context when it may, with the whole answer counted', async () => {
    const full = await model.generate('K5', greedy)
    expect(full.finishReason).toBe('context-full')
    const options = { ...greedy, overflow: 'shift', maxTokens: 700 } as const
    const [first, second] = await Promise.all([model.generate('K5', options), model.generate('K6', options)])
    for (const { finishReason, usage, tokens } of [first, second]) {
      expect(finishReason).toBe('length')
      expect(usage).toMatchObject({ inputTokens: 2, outputTokens: 700 })
      expect(tokens).toHaveLength(700)
    }
    expect(first.text).toBe(predict('K5', { maxTokens: 700 }).text)
    expect(second.text).toBe(predict('K6', { maxTokens: 700 }).text)
  })

  it('ends a shifted answer after ten times the context', async () => {
    const { finishReason, usage } = await model.generate('K5', { ...greedy, overflow: 'shift' })
    expect({ finishReason, tokens: usage.outputTokens }).toEqual({ finishReason: 'length', tokens: 10 * contextSize })
  })

  it('keeps the state of sampling over a shift', async () => {
    // A grammar that began anew would ask for its beginning once more.
    const options = { ...greedy, overflow: 'shift', maxTokens: 300, grammar: 'root ::= "abc" [a-z]* ' } as const
    expect((await model.generate('K0', options)).text).toBe(predict('K0', { maxTokens: 300 }).text)
  })
})
