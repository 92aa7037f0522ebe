import { describe, expect, it } from 'vitest'
import { PartialJson } from '../../lib/chat/schema/index.js'

const read = (...pieces: string[]): PartialJson => {
  const reader = new PartialJson()
  for (const piece of pieces) reader.add(piece)
  return reader
}

describe('partial JSON', () => {
  it.each<[string, string, unknown]>([
    ['nothing is certain yet', ' \n', undefined],
    ['an object is there from its brace on', '{', {}],
    ['a key comes with its value', '{"a', {}],
    ['a key comes with its value, not with its colon', '{"a" :', {}],
    ['a string grows', '{"a":"Ad', { a: 'Ad' }],
    ['a string is there from its quote on', '{"a":"', { a: '' }],
    ['a number waits for its end', '{"a":12', {}],
    ['a number ends with what follows', '{"a":12,', { a: 12 }],
    ['a keyword waits until it is whole', '[tru', []],
    ['a keyword that is whole is there', '[true', [true]],
    ['an escape waits until it is whole', '["a\\', ['a']],
    ['a hexadecimal escape waits until it is whole', '["a\\u00e', ['a']],
    ['half a character waits for the other', '["a\\ud83d', ['a']],
    ['a whole character of two escapes', '["a\\ud83d\\ude00', ['a😀']],
    ['half a character that stays alone', '["\\ud83d"', ['\ud83d']],
    ['values in an array come one by one', '[1,{"b":[2,"x', [1, { b: [2, 'x'] }]],
    ['a string grows inside of an array', '["ab","c', ['ab', 'c']],
    ['of two equal keys the later counts', '{"a":1,"a":2}', { a: 2 }],
    ['a string at the root', '"ab', 'ab'],
  ])('%s', (_title, text, value) => {
    expect(read(text).value).toEqual(value)
    expect(read(...text).value).toEqual(value)
  })

  it.each([
    ['a comma before the end', '{"a":1,}'],
    ['two values', '{} {}'],
    ['a bare word', '{a:1}'],
    ['a control character in a string', '["a\n"]'],
    ['a number with a leading zero', '[01]'],
    ['a wrong bracket', '[1}'],
    ['a word that is none', '[tree]'],
    ['an inherited name', '[toString]'],
    ['an escape that is none', '["\\x"]'],
  ])('stops at what is no JSON: %s', (_title, text) => {
    const reader = read(...text)
    expect(reader.isBroken).toBe(true)
    expect(reader.isDone && text !== '{} {}').toBe(false)
    expect(() => JSON.parse(text) as unknown).toThrow()
  })

  const whole = JSON.stringify({
    name: 'Ada "Countess" Lovelace \\ é 😀\u0001',
    list: [1, -2.5e-3, true, false, null, [], {}, [[{ deep: '' }]]],
    __proto__: undefined,
    'key\n': { ü: 0 },
  }).replace('{', '{ "__proto__" : {"polluted": 1}, ')

  it('cut anywhere, holds a part of the whole and goes on to the end', () => {
    const expected = JSON.parse(whole) as unknown
    for (let cut = 0; cut <= whole.length; cut++) {
      const reader = new PartialJson()
      const before = structuredClone(reader.add(whole.slice(0, cut)))
      expect(isPart(before, expected)).toBe(true)
      expect(reader.isBroken).toBe(false)
      expect(reader.isDone).toBe(cut === whole.length)
      expect(JSON.stringify(reader.add(whole.slice(cut)))).toBe(JSON.stringify(expected))
      expect(reader.isDone).toBe(true)
    }
  })

  it('keeps __proto__ and constructor as data', () => {
    const value = read(...'{"__proto__":{"x":1},"constructor":{"prototype":{"y":2}}}').value as object
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(({} as { x?: unknown }).x).toBeUndefined()
    expect(({} as { y?: unknown }).y).toBeUndefined()
  })

  it.each([
    ['a long string', () => `["${'a'.repeat(2 ** 20)}"]`],
    ['many items', () => JSON.stringify(Array.from({ length: 150_000 }, (_, i) => i))],
    ['deep nesting', () => '['.repeat(2 ** 17) + ']'.repeat(2 ** 17)],
  ])('takes time in proportion to the text: %s', (_title, make) => {
    const text = make()
    const timeFor = (part: string): number => {
      const start = performance.now()
      const reader = new PartialJson()
      for (let at = 0; at < part.length; at += 3) reader.add(part.slice(at, at + 3))
      return performance.now() - start
    }
    timeFor(text.slice(0, text.length / 8))
    const eighth = Math.min(...[1, 2, 3].map(() => timeFor(text.slice(0, text.length / 8))))
    expect(timeFor(text)).toBeLessThan(Math.max(500, eighth * 8 * 6))
  })
})

/** Whether `part` is `whole` with ends missing. */
function isPart(part: unknown, whole: unknown): boolean {
  if (part === undefined) return true
  if (typeof part === 'string') return typeof whole === 'string' && whole.startsWith(part)
  if (typeof part !== 'object' || part === null) return Object.is(part, whole)
  if (typeof whole !== 'object' || whole === null) return false
  const keys = Object.keys(part)
  return (
    Array.isArray(part) === Array.isArray(whole) &&
    keys.every((key, index) => Object.keys(whole)[index] === key && isPart((part as never)[key], (whole as never)[key]))
  )
}
