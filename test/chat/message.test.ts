import { describe, expect, it } from 'vitest'
import { maxMessages, messageBytes, normalizeMessages, wellFormed } from '../../lib/chat/index.js'

const user = (content: string) => ({ role: 'user', content }) as const

describe('messages', () => {
  it.each([
    ['a lone string', 'hi', [user('hi')]],
    ['an empty string', '', [user('')]],
    ['all roles', ['system', 'user', 'assistant', 'tool'].map((role) => ({ role, content: 'x' })), undefined],
    ['lone surrogates', [user('a\udc00b')], [user('a\ufffdb')]],
    ['an undefined further field', [{ ...user('x'), name: undefined }], [user('x')]],
    ['as many as may be', Array(maxMessages).fill(user('x')), undefined],
  ])('accepts %s', (_title, input, expected) => {
    expect(normalizeMessages(input)).toEqual(expected ?? input)
  })

  it.each([
    ['nothing', undefined, 'messages'],
    ['null', null, 'messages'],
    ['a number', 5, 'messages'],
    ['one message without an array', user('x'), 'messages'],
    ['no messages', [], 'messages'],
    ['too many messages', Array(maxMessages + 1).fill(user('x')), 'messages'],
    ['a hole', new Array(1), 'messages[0]'],
    ['a string in the array', ['x'], 'messages[0]'],
    ['an unknown role', [user('x'), { role: 'root', content: 'x' }], 'messages[1].role'],
    ['a role of the prototype', [{ role: 'constructor', content: 'x' }], 'messages[0].role'],
    ['no role', [{ content: 'x' }], 'messages[0].role'],
    ['no content', [{ role: 'user' }], 'messages[0].content'],
    ['content of another kind', [{ role: 'user', content: 5 }], 'messages[0].content'],
    ['a part of another kind', [{ role: 'user', content: ['x'] }], 'messages[0].content[0]'],
    ['a part of an unknown type', [{ role: 'user', content: [{ type: 'video' }] }], 'messages[0].content[0].type'],
    ['a text part without text', [{ role: 'user', content: [{ type: 'text' }] }], 'messages[0].content[0].text'],
    [
      'a picture of another kind',
      [{ role: 'user', content: [{ type: 'image', image: 5 }] }],
      'messages[0].content[0].image',
    ],
    [
      'another field in a part',
      [{ role: 'user', content: [{ type: 'text', text: '', alt: '' }] }],
      'messages[0].content[0].alt',
    ],
    ['thinking of a user', [{ ...user('x'), reasoning: 'hm' }], 'messages[0].reasoning'],
    ['a result of no tool', [{ ...user('x'), toolCallId: 'a' }], 'messages[0].toolCallId'],
    ['calls that are no list', [{ role: 'assistant', content: '', toolCalls: {} }], 'messages[0].toolCalls'],
    ['a call without a name', [{ role: 'assistant', content: '', toolCalls: [{}] }], 'messages[0].toolCalls[0].name'],
    [
      'a call with arguments as text',
      [{ role: 'assistant', content: '', toolCalls: [{ name: 'a', arguments: '{}' }] }],
      'messages[0].toolCalls[0].arguments',
    ],
    ['a further field', [{ ...user('x'), images: [] }], 'messages[0].images'],
  ])('refuses %s', (_title, input, option) => {
    expect(() => normalizeMessages(input)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID', details: expect.objectContaining({ option }) }),
    )
  })

  it('are counted in bytes', () => {
    expect(messageBytes([user('é'), user('abc')])).toBe(5)
  })
})

describe('well-formed text', () => {
  it.each([
    ['', ''],
    ['plain é 中 😀', 'plain é 中 😀'],
    ['\ud800', '\ufffd'],
    ['\udc00\ud800', '\ufffd\ufffd'],
    ['a\ud83d\ude00\ud83db', 'a😀\ufffdb'],
  ])('%j becomes %j', (text, expected) => {
    expect(wellFormed(text)).toBe(expected)
    expect(Buffer.from(expected).toString()).toBe(expected)
  })
})
