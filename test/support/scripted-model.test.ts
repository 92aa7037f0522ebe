import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel, type Model } from '../../lib/model/index.js'
import { predict, renderChat } from './script.js'
import { writeScriptedModel } from './scripted-model.js'
import { temporaryDirectory } from './temporary-directory.js'

const directory = temporaryDirectory()
let model: Model

beforeAll(async () => {
  const path = await writeScriptedModel(`${directory.path}/scripted.gguf`)
  model = await openModel({ path }, { contextSize: 8192, parallel: 4, threads: 1 })
})
afterAll(() => model.close())

const say = async (prompt: string, maxTokens: number, ignoreEos = false) => {
  const { text, finishReason, usage } = await model.generate(prompt, { maxTokens, ignoreEos, temperature: 0 })
  return { text, finishReason, tokens: usage.outputTokens }
}

describe('the scripted model says what the script predicts', () => {
  it.each(
    [
      ...Array.from({ length: 10 }, (_, key) => `Please, K${key}.`),
      'no key at all',
      'K4',
      'K2 from the middle: m',
      'K1 K1 K6',
      'K5 K3 K3 K5 K3 c',
      'K7 after an emoji 🙂',
      'K8 after an accent é',
      `${'word '.repeat(600)}K6 ${'more '.repeat(100)}`,
      `K2 ${'K3 words between '.repeat(40)}`,
    ].map((prompt) => ({ title: prompt.slice(0, 40), prompt })),
  )('$title', async ({ prompt }) => {
    const expected = predict(prompt, { maxTokens: 60 })
    expect(await say(prompt, 60)).toMatchObject({ text: expected.text, finishReason: expected.finishReason })
  })

  it('over 2,500 tokens', async () => {
    const expected = predict('K3', { maxTokens: 2500 })
    expect(await say('K3', 2500)).toEqual({ text: expected.text, finishReason: 'length', tokens: 2500 })
  })

  it('beyond its end, if that is banned', async () => {
    const expected = predict('K9', { maxTokens: 25, ignoreEos: true })
    expect(expected.text).toBe('0123456789012345678901234')
    expect((await say('K9', 25, true)).text).toBe(expected.text)
  })

  it('with every cut of the cut characters', async () => {
    for (let count = 1; count <= 12; count++) {
      for (const key of ['K7', 'K8']) {
        expect((await say(key, count)).text, `${key}, ${count} tokens`).toBe(predict(key, { maxTokens: count }).text)
      }
    }
  })

  it('through the chat template', async () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'K5, please' },
    ] as const
    const { text } = await model.chat(messages, { maxTokens: 30, temperature: 0 })
    expect(text).toBe(predict(renderChat(messages), { maxTokens: 30 }).text)
  })

  it('clearly: the second best token is far behind', async () => {
    for (const prompt of ['K0', 'K1 K1 K6', 'K9', `K4 ${'word '.repeat(800)}`]) {
      const { logprobs } = await model.generate(prompt, { maxTokens: 8, temperature: 0, logprobs: 2 })
      expect(logprobs).toHaveLength(8)
      for (const [chosen, ...others] of logprobs ?? []) {
        const second = others.find(({ token }) => token !== chosen?.token)
        expect(chosen?.logprob).toBeGreaterThan(-0.01)
        expect(second?.logprob).toBeLessThan(-5)
      }
    }
  })
})
