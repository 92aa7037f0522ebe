import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { openRawEngine, type RawEngine } from './raw-engine.js'

const directory = temporaryDirectory()

describe('the end of an answer', () => {
  let scripted: RawEngine
  beforeAll(async () => {
    scripted = await openRawEngine(await directory.write('scripted.gguf', scriptedModel()), { threads: 1 })
  })
  afterAll(() => scripted.close())

  it('comes with the end token, and not at all when that is ignored', async () => {
    const ends = await scripted.run('K9', { maxTokens: 30 })
    expect(ends).toMatchObject({ text: '0123456789', finish: { reason: 'stop', outputTokens: 11 } })
    const goesOn = await scripted.run('K9', { maxTokens: 30, ignoreEos: true })
    expect(goesOn).toMatchObject({ finish: { reason: 'length', outputTokens: 30 } })
    expect(goesOn.text.startsWith('0123456789')).toBe(true)
    expect(goesOn.text.length).toBe(30)
  })

  it('is length after so many tokens, none included', async () => {
    expect(await scripted.run('K0', { maxTokens: 0 })).toMatchObject({
      text: '',
      tokens: [],
      finish: { reason: 'length' },
    })
    expect(await scripted.run('K0', { maxTokens: 3 })).toMatchObject({ text: 'abc', finish: { reason: 'length' } })
  })

  it('is a stop string, of which nothing shows', async () => {
    const { text, finish } = await scripted.run('K0', { maxTokens: 30, stop: ['fgh', 'xyz'] })
    expect({ text, reason: finish.reason, outputTokens: finish.outputTokens }).toEqual({
      text: 'abcde',
      reason: 'stop',
      outputTokens: 8,
    })
  })

  it('shows an emoji in whole', async () => {
    const { text, deltas } = await scripted.run('K7', { maxTokens: 9 })
    expect(text).toBe('🙂🙂\ufffd')
    expect(deltas.join('|')).not.toMatch(/\ufffd./u)
  })
})
