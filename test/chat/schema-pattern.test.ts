import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { patternMatcher } from '../../lib/chat/schema/pattern-matcher.js'
import { parsePattern } from '../../lib/chat/schema/pattern.js'

const matches = (pattern: string, text: string): boolean => patternMatcher(parsePattern(pattern))(text)

describe('a pattern', () => {
  it.each<[string, RegExp, readonly string[]]>([
    ['a literal anywhere', /b/u, ['abc', 'b', '', 'ac', 'B']],
    ['a literal at the start', /^b/u, ['bc', 'ab', '']],
    ['a literal at the end', /b$/u, ['ab', 'ba', '']],
    ['alternatives with ends of their own', /^a|b$/u, ['ax', 'xb', 'xax', 'xbx']],
    ['classes', /^[a-c\d_-]+$/u, ['a-1_', 'd', '', 'abc']],
    ['negated classes', /^[^a-c]$/u, ['d', 'a', '\n', '😀']],
    ['a dot', /^.$/u, ['a', '\n', '\u2028', '😀', 'ab']],
    ['words, digits, spaces', /^\w\W\d\D\s\S$/u, ['a-1b c', 'a-1b\u00a0c', 'aa1b c']],
    ['repetitions', /^a{2,3}b*c+d?e{2}$/u, ['aacee', 'aaabbccdee', 'acee', 'aaaacee', 'aace']],
    ['lazy repetitions', /^a+?b*?$/u, ['aab', 'b', 'a']],
    ['groups', /^(?:ab|(c|d)e){2}$/u, ['abce', 'deab', 'ab', 'cece', 'abab']],
    ['empty alternatives', /^(a|)b$/u, ['ab', 'b', 'aab']],
    ['escapes', /^\x41\u0042\u{1F600}\.\/\n$/u, ['AB😀./\n', 'ABx./\n']],
    ['a repetition of what may be empty', /^(a*)*b$/u, ['aaab', 'b', 'aac']],
    ['nothing', /^$/u, ['', 'a']],
  ])('means what it means in JavaScript: %s', (_title, expression, texts) => {
    for (const text of texts) expect([text, matches(expression.source, text)]).toEqual([text, expression.test(text)])
  })

  it('means what it means in JavaScript, whatever the text', () => {
    const expressions = [/^(a|ab)(c|bcd)*$/u, /(a|b)*abb/u, /^[ab]?(ba){1,2}[^b]$/u, /a.c|b{2}$/u]
    fc.assert(
      fc.property(
        fc.constantFrom(...expressions),
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', '\n') }),
        (e, text) => {
          expect(matches(e.source, text)).toBe(e.test(text))
        },
      ),
    )
  })

  it.each([
    ['^(a+)+$', 'a'],
    ['^(a|a)*$', 'a'],
    ['^(a*)*b$', 'a'],
    ['(x+x+)+y', 'x'],
    ['^([a-zA-Z]+)*$', 'a'],
    ['a{0,500}a{0,500}$', 'a'],
  ])('R3: %s takes time in proportion to the text', (pattern, letter) => {
    const matcher = patternMatcher(parsePattern(pattern))
    const start = performance.now()
    matcher(`${letter.repeat(2000)}!`)
    expect(performance.now() - start).toBeLessThan(2500)
  })

  it.each([
    '(',
    ')',
    'a**',
    '*',
    '[',
    'a{2',
    'a{2,1}',
    '\\',
    '\\1',
    '\\b',
    '\\p{L}',
    '(?=a)',
    '(?!a)',
    '(?<n>a)',
    '[b-a]',
    '[\\d-z]',
    'a^b',
    'a$b',
    '(^a)',
  ])('is refused if it is malformed or not regular: %s', (pattern) => {
    expect(() => parsePattern(pattern)).toThrow()
  })
})
