import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentText, type Message } from '../../lib/chat/index.js'
import {
  fitMessages,
  fitPrompt,
  promptRoom,
  shiftedTokens,
  shorten,
  shortening,
  type Overflow,
} from '../../lib/model/overflow.js'

const values = (overflow: Overflow, maxTokens?: number, keep = 4) => ({ overflow, keep, maxTokens })
const upTo = (count: number) => Int32Array.from({ length: count }, (_, index) => index)
const bos = 0

describe('the rule of what stays', () => {
  it.each([
    ['half of what is behind the kept', 100, 100, 4, { keep: 4, drop: 48 }],
    ['half of an odd rest, rounded in its favour', 100, 100, 5, { keep: 5, drop: 47 }],
    ['of a prompt beyond the context, so much that the same remains', 150, 100, 4, { keep: 4, drop: 98 }],
    ['nothing of what is short enough', 40, 100, 4, { keep: 4, drop: 0 }],
    ['one token, when nearly all is kept', 100, 100, 98, { keep: 98, drop: 1 }],
    ['one token, when all should be kept', 100, 100, 100, { keep: 98, drop: 1 }],
    ['no kept ones', 16, 16, 0, { keep: 0, drop: 8 }],
  ])('drops %s', (_title, length, contextSize, keep, expected) => {
    expect(shortening(length, contextSize, keep)).toEqual(expected)
  })

  it('leaves the first and the latest tokens in their order, and room for at least one', () => {
    const sizes = fc.integer({ min: 16, max: 300 })
    fc.assert(
      fc.property(sizes, sizes, fc.integer({ min: 0, max: 300 }), (length, contextSize, keep) => {
        const rule = shortening(length, contextSize, Math.min(keep, contextSize))
        const left = [...shorten(upTo(length), rule)]
        if (length >= contextSize) expect(left.length).toBeLessThan(contextSize)
        expect(left).toEqual([...upTo(length)].filter((token) => token < rule.keep || token >= rule.keep + rule.drop))
        expect(left.at(-1)).toBe(length - 1)
      }),
    )
  })

  it('applied at every full context, gives the tokens that an answer has left', () => {
    const shift = shortening(16, 16, 4)
    expect([...shiftedTokens(upTo(14), upTo(2), 16, shift)]).toEqual([...upTo(14), 0, 1])
    expect([...shiftedTokens(upTo(14), upTo(3), 16, shift)]).toEqual([0, 1, 2, 3, 10, 11, 12, 13, 0, 1, 2])
    expect(shiftedTokens(upTo(14), upTo(100), 16, shift).length).toBeLessThanOrEqual(16)
    expect([...shiftedTokens(upTo(2), upTo(3), 0, shift)]).toEqual([0, 1, 0, 1, 2])
  })
})

describe('the room of a prompt', () => {
  it.each([
    ['all but one token under error', 'error', undefined, 99],
    ['all but an eighth without maxTokens', 'truncate', undefined, 87],
    ['what maxTokens leaves', 'truncate', 20, 80],
    ['at least half', 'shift', 5000, 50],
  ] as const)('is %s', (_title, overflow, maxTokens, room) => {
    expect(promptRoom(values(overflow, maxTokens), 100)).toBe(room)
  })
})

describe('a raw prompt', () => {
  it.each([
    ['stays whole under error', 'error', 4, 150, 150],
    ['stays whole when it fits', 'truncate', 4, 87, 87],
    ['keeps BOS, four and the latest half', 'truncate', 4, 150, 53],
    ['is cut the same way under shift', 'shift', 4, 150, 53],
    ['stays whole when all of it shall be kept', 'truncate', -1, 150, 150],
  ] as const)('%s', (_title, overflow, keep, length, left) => {
    const fitted = fitPrompt(upTo(length), values(overflow, undefined, keep), 100, bos)
    expect(fitted).toHaveLength(left)
    expect(fitted.at(-1)).toBe(length - 1)
    expect([...fitted.slice(0, 5)]).toEqual([0, 1, 2, 3, 4])
  })
})

describe('a conversation', () => {
  const message = (role: Message['role'], content: string): Message => ({ role, content })
  const talk = [
    message('system', 'S'),
    ...Array.from({ length: 10 }, (_, turn) => [message('user', `u${turn}`), message('assistant', `a${turn}`)]).flat(),
    message('user', 'last'),
  ]
  /** Ten tokens for each message. */
  function maker() {
    const asked: (readonly Message[])[] = []
    const make = async (messages: readonly Message[]) => {
      asked.push(messages)
      return { tokens: new Int32Array(10 * messages.length), messages }
    }
    return { asked, make }
  }
  const limits = (contextSize: number, mostBytes = 1e6) => ({ contextSize, mostBytes })

  it.each([
    ['stays whole when it fits', 'truncate', 1000, 22],
    ['loses whole turns, no more than it must', 'truncate', 110, 10],
    ['is cut the same way under shift', 'shift', 110, 10],
    ['keeps the system and the last turn', 'truncate', 21, 2],
  ] as const)('%s', async (_title, overflow, contextSize, left) => {
    const { make, asked } = maker()
    const { prompt, leftOut } = await fitMessages(talk, values(overflow, 1), limits(contextSize), make)
    expect(prompt.messages).toHaveLength(left)
    expect(prompt.messages[0]).toEqual(talk[0])
    expect(prompt.messages.slice(1)).toEqual(talk.slice(talk.length - left + 1))
    expect(leftOut).toBe((talk.length - left) / 2)
    expect(asked.length).toBeLessThan(7)
  })

  it('is never made twice under error', async () => {
    const { make, asked } = maker()
    expect((await fitMessages(talk, values('error'), limits(10), make)).leftOut).toBe(0)
    expect(asked).toEqual([talk])
  })

  it('gives ERR_CONTEXT_FULL with both numbers when not even its last turn fits', async () => {
    const { make } = maker()
    await expect(fitMessages(talk, values('truncate'), limits(20), make)).rejects.toMatchObject({
      code: 'ERR_CONTEXT_FULL',
      details: { promptTokens: 20, contextSize: 20 },
    })
  })

  it('does not bring back turns that were left out before', async () => {
    const { make } = maker()
    const { prompt, leftOut } = await fitMessages(talk, values('truncate', 1), limits(1000), make, 3)
    expect(leftOut).toBe(3)
    expect(prompt.messages).toHaveLength(16)
  })

  it('is not made of more text than may be tokenized', async () => {
    const { make, asked } = maker()
    await fitMessages(talk, values('truncate', 1), limits(1000, 15), make)
    for (const messages of asked)
      expect(messages.map(({ content }) => contentText(content)).join('').length).toBeLessThanOrEqual(15)
  })
})
