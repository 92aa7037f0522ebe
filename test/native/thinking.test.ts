import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { NativeThinkingLimit } from '../../lib/native.js'
import { openRawEngine, type RawEngine, type RawRequest } from './raw-engine.js'
import { scriptedModelFile } from './test-engine.js'

// Key 0 says the alphabet over and over, key 7 an emoji byte by byte.
const path = scriptedModelFile()
let engine: RawEngine
beforeAll(async () => {
  engine = await openRawEngine(path(), { threads: 1, contextSize: 512 })
})
afterAll(() => engine.close())

const tags: NativeThinkingLimit = { start: 'K0', ends: ['xyz'], prefix: 'K0', maxTokens: -1, closing: '' }
const pattern = (text: string) => ({ kind: 'pattern', pattern: text, token: 0 }) as const

/** With and without drafts the answer is the same. */
async function say(prompt: string, request: RawRequest): Promise<string> {
  const { text, finish } = await engine.run(prompt, { cacheKey: 'without', ...request })
  const drafts = { cacheKey: 'with', draftTokens: 16, adaptDrafts: false }
  const drafted = await engine.run(prompt, { ...drafts, ...request })
  expect(drafted.text).toBe(text)
  expect(drafted.finish).toMatchObject({ reason: finish.reason, errorCode: finish.errorCode })
  return text
}

const think = (thinking: Partial<NativeThinkingLimit>, maxTokens = 20, prompt = 'K0') =>
  say(prompt, { maxTokens, sampler: { thinking: { ...tags, ...thinking } } })

describe('thinking', () => {
  it('goes on while it has tokens, and as long as it likes without a limit', async () => {
    expect(await think({})).toBe('abcdefghijklmnopqrst')
    expect(await think({ maxTokens: 24, closing: '!xyz' }, 24)).toBe('abcdefghijklmnopqrstuvwx')
  })

  it('is closed when they are used up, and the answer follows', async () => {
    expect(await think({ maxTokens: 5, closing: '! xyz' }, 13)).toMatch(/^abcde! xyza/)
    expect(await think({ maxTokens: 0, closing: 'xyz' }, 4)).toMatch(/^xyza/)
  })

  it('is not closed when it ended by itself', async () => {
    expect(await think({ maxTokens: 8, ends: ['??', 'def'], closing: '!def' })).toBe('abcdefghijklmnopqrst')
  })

  it('may begin within the answer, and again', async () => {
    const once = { start: 'cd', prefix: '', maxTokens: 2, closing: '!xyz' }
    expect(await think(once, 10)).toMatch(/^abcdef!xyz/)
    expect(await think({ ...once, ends: ['xyz', '!'], closing: '!' }, 36)).toMatch(/^abcdef!.*cdef!/)
  })

  it('is closed behind a whole character', async () => {
    expect(await think({ start: 'K7', prefix: 'K7', maxTokens: 2, closing: '!xyz' }, 8, 'K7')).toMatch(/^🙂!xyz/)
  })

  it('of the prompt is over when the prompt holds its end', async () => {
    expect(await think({ prefix: 'K0xyz', maxTokens: 3, closing: '!xyz' }, 6, 'K0xyz')).toBe('abcdef')
  })

  it('that nothing closes is refused', async () => {
    const { finish } = await engine.run('K0', { sampler: { thinking: { ...tags, maxTokens: 3 } } })
    expect(finish).toMatchObject({ reason: 'error', errorCode: 'ERR_INTERNAL' })
  })
})

describe('a grammar that binds from the beginning on', () => {
  const thinking = { start: '<t>', ends: ['</t>'], prefix: '', maxTokens: 2, closing: '</t>' }
  const answer = (grammar: string, maxTokens = 40) => say('K0', { maxTokens, sampler: { grammar, thinking } })

  it('takes a tag within the answer for text, which has no limit', async () => {
    const text = '{"a": "<t>and so on"}'
    expect(await answer(`root ::= ${JSON.stringify(text)}`)).toBe(text)
  })

  it('has thinking before the answer closed when its tokens are used up', async () => {
    expect(await answer('root ::= " "? "<t>" [a-z]* "</t>" "<t>1"')).toMatch(/^ ?<t>[a-z]{2,3}<\/t><t>1$/)
  })
})

describe('a lazy grammar', () => {
  const lazy = { grammarLazy: true, grammar: 'root ::= "c" [0-9]+' } as const

  it('binds from its trigger on', async () => {
    const sampler = { ...lazy, grammarTriggers: [pattern('c')] }
    expect(await say('K0', { maxTokens: 8, sampler })).toMatch(/^abc[0-9]+$/)
    const { text } = await engine.run('K0', { maxTokens: 8, sampler: { ...sampler, temperature: 1, seed: 5 } })
    expect(text).toMatch(/^[^c]*(c[0-9]*)?$/)
  })

  it('binds from the part of a pattern that is in brackets', async () => {
    const sampler = { ...lazy, grammarTriggers: [pattern('^a[\\s\\S]*?(c)')] }
    expect(await say('K0', { maxTokens: 8, sampler })).toMatch(/^abc[0-9]+$/)
  })

  it('binds from a token on', async () => {
    const [token = 0] = await engine.tokenize('c')
    const sampler = { ...lazy, grammarTriggers: [{ kind: 'token', pattern: '', token } as const] }
    expect(await say('K0', { maxTokens: 8, sampler })).toMatch(/^abc[0-9]+$/)
  })

  it('neither binds nor is triggered inside thinking', async () => {
    const sampler = { ...lazy, grammarTriggers: [pattern('c')], thinking: tags }
    expect(await say('K0', { maxTokens: 32, sampler })).toMatch(/^abcdefghijklmnopqrstuvwxyzabc[0-9]+$/)
  })

  it('is triggered by the end of thinking, dictated or not', async () => {
    const thinking = { ...tags, ends: ['efg'] }
    const sampler = { grammarLazy: true, grammar: 'root ::= "fg" [0-9]+', grammarTriggers: [pattern('fg')] }
    expect(await say('K0', { maxTokens: 10, sampler: { ...sampler, thinking } })).toMatch(/^abcdefg[0-9]+$/)
    const short = { ...thinking, maxTokens: 2, closing: '!efg' }
    expect(await say('K0', { maxTokens: 10, sampler: { ...sampler, thinking: short } })).toMatch(/^ab!efg[0-9]+$/)
  })

  it('with a pattern that is none, or triggered by what it does not allow, ends that answer alone', async () => {
    const other = { ...lazy, grammar: 'root ::= "x" [0-9]+' }
    const ended = await Promise.all([
      engine.run('K0', { sampler: { ...lazy, grammarTriggers: [pattern('(')] } }),
      engine.run('K0', { sampler: { ...other, grammarTriggers: [pattern('c')] } }),
    ])
    for (const { finish } of ended) expect(finish).toMatchObject({ reason: 'error', errorCode: 'ERR_GRAMMAR' })
  })
})

describe('the beginning of an answer in the prompt', () => {
  const grammar = 'root ::= "ab" [0-9]+'

  it('is taken by the grammar first', async () => {
    expect(await say('K0ab', { maxTokens: 5, sampler: { grammar, grammarPrefix: 'ab' } })).toMatch(/^[0-9]+$/)
    expect(await say('K0a', { maxTokens: 5, sampler: { grammar, grammarPrefix: 'a' } })).toMatch(/^b[0-9]+$/)
  })

  it('that it does not allow ends the request', async () => {
    const { finish } = await engine.run('K0x', { sampler: { grammar, grammarPrefix: 'x' } })
    expect(finish).toMatchObject({ reason: 'error', errorCode: 'ERR_GRAMMAR' })
  })
})

it('a grammar that gets a token which it does not allow ends its request, and fifteen neighbours go on', async () => {
  const prompts = Array.from({ length: 15 }, (_, index) => `${'ab'.repeat(index)}K0`)
  const alone: string[] = []
  for (const prompt of prompts) alone.push((await engine.run(prompt, { maxTokens: 40 })).text)
  const thinking = { ...tags, maxTokens: 1, closing: 'xyz' }
  const [wrong, ...others] = await Promise.all([
    engine.run('K0', { sampler: { grammar: 'root ::= [a-c]+', thinking } }),
    ...prompts.map((prompt) => engine.run(prompt, { maxTokens: 40 })),
  ])
  expect(wrong.finish).toMatchObject({ reason: 'error', errorCode: 'ERR_GRAMMAR' })
  expect(others.map(({ text }) => text)).toEqual(alone)
})

it('preserved special tokens are written out, others are not', async () => {
  const [special = 0] = await engine.tokenize('<|im_start|>')
  const sampler = { biasTokens: Int32Array.of(special), biasValues: Float32Array.of(1000) }
  expect(nativeAddon().piece(engine.model, special)).toHaveLength(0)
  expect(await say('K0', { maxTokens: 3, sampler })).toBe('')
  const preservedTokens = Int32Array.of(special)
  expect(await say('K0', { maxTokens: 3, sampler, preservedTokens })).toBe('<|im_start|>'.repeat(3))
  expect(await say('K0', { maxTokens: 3, sampler, preservedTokens, stop: ['|><|'] })).toBe('<|im_start')
})
