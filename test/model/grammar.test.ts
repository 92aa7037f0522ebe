import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import { checkGrammar } from '../../lib/model/grammar.js'

const vocabularySize = 260
const check = (text: unknown) => checkGrammar(text, vocabularySize)

function reasonOf(text: unknown): string {
  const start = performance.now()
  try {
    check(text)
  } catch (error) {
    expect(error).toBeInstanceOf(LlameroError)
    expect((error as LlameroError).code).toBe('ERR_GRAMMAR')
    expect(performance.now() - start).toBeLessThan(250)
    return (error as LlameroError).message
  }
  throw new Error('the grammar was accepted')
}

const many = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i)).join('\n')
const json = `
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::=
  "\\"" (
    [^"\\\\\\x7F\\x00-\\x1F] |
    "\\\\" (["\\\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
# space
ws ::= | " " | "\\n" [ \\t]{0,20}
`

describe('a grammar', () => {
  it.each([
    ['a literal', 'root ::= "a"'],
    ['JSON', json],
    ['comments and blank lines', '# first\n\nroot ::= "a" # why\n  | "b"\r\n\r\n'.replace('\n  |', ' |')],
    ['alternates over lines', 'root ::= "a" |\n  "b"'],
    ['tokens', 'root ::= <[259]> !<[0]> <think> .*'],
    ['escapes', 'root ::= "\\x41\\u00e9\\U0001F600\\n\\t\\r\\\\\\"\\[\\]\\-"'],
    ['a class with a dash at its end', 'root ::= [a-z-] [-] [^\\]]'],
    ['right recursion', 'root ::= "a" root | "b"'],
    ['repetitions', 'root ::= "a"{3} "b"{0,5} "c"{2,} ("d" "e"?)+'],
    ['a repeated group that may be empty', 'root ::= ("a"?)* "b"'],
    ['recursion to the right and in the middle', 'root ::= "(" root ")" root | "x" | a\na ::= "y" a'],
    ['200 optional items', `root ::= ${'"a"? '.repeat(200)}`],
    ['an empty rule', 'root ::= "a" empty "b"\nempty ::='],
    ['a rule defined twice', 'root ::= "a"\nroot ::= "b"'],
    ['non-ASCII', 'root ::= "é😀" [中-文]'],
    ['64 levels of parentheses', `root ::= ${'('.repeat(64)}"a"${')'.repeat(64)}`],
    ['2,048 rules', `root ::= r0\n${many(2047, (i) => `r${i} ::= "a"`)}`],
    ['1,024 values', `root ::= ${Array.from({ length: 1024 }, (_, i) => `"v${i}"`).join(' | ')}`],
    ['64 KiB', `root ::= "${'a'.repeat(65_536 - 11)}"`],
  ])('is accepted: %s', (_title, text) => {
    expect(check(text)).toBe(text)
  })

  it.each([
    ['R1: 18,750 parentheses', `root ::= ${'('.repeat(18_750)}"a"${')'.repeat(18_750)}`, /64 levels/],
    ['R1: 65 parentheses', `root ::= ${'('.repeat(65)}"a"${')'.repeat(65)}`, /64 levels/],
    ['R1: a chain of 66,000 rules', `root ::= r0\n${many(66_000, (i) => `r${i} ::= r${i + 1}`)}`, /bytes/],
    ['R1: a chain of 1,500 rules', `root ::= r0\n${many(1500, (i) => `r${i} ::= r${i + 1}`)}\nr1500 ::= "a"`, /levels/],
    [
      'R1: the same chain, written from its end',
      `r1500 ::= "a"\n${many(1500, (i) => `r${1499 - i} ::= r${1500 - i}`)}\nroot ::= r0`,
      /levels/,
    ],
    ['R1: bounds the wrong way round', 'root ::= "a"{5,2}', /wrong way/],
    ['R1: 300,000 alternatives', `root ::= ${'"a"|'.repeat(300_000)}"a"`, /bytes/],
    ['R1: 10,000 alternatives', `root ::= ${'"a"|'.repeat(10_000)}"a"`, /ways/],
    ['R1: no root', 'start ::= "a"', /\broot\b/],
    ['R1: an undefined rule', 'root ::= "a"\nb ::= missing', /line 2.*"missing"/],
    ['R1: an undefined rule in a group', 'root ::= ("a" | (missing))', /"missing"/],
    ['R1: left recursion', 'root ::= root "a" | "a"', /left-recursive/],
    ['R1: indirect left recursion', 'root ::= a\na ::= b "x"\nb ::= (a | "y")', /left-recursive/],
    ['left recursion behind an empty rule', 'root ::= e root "x" | "y"\ne ::= f f\nf ::= "z" |', /left-recursive/],
    ['left recursion behind an empty literal', 'root ::= "" root "x"', /left-recursive/],
    ['left recursion behind an option', 'root ::= "z"? root "x"', /left-recursive/],
    ['left recursion in a repetition', 'root ::= (root "a")*', /left-recursive/],
    ['left recursion out of reach of root', 'root ::= "a"\nb ::= b', /left-recursive/],
    ['R1: nothing', '', /\broot\b/],
    ['only space', ' \n# nothing\n', /\broot\b/],
    ['R1: an unterminated literal', 'root ::= "a', /literal does not end/],
    ['an unterminated class', 'root ::= [a-', /class does not end/],
    ['an unterminated group', 'root ::= ("a"', /\) is expected/],
    ['an unterminated repetition', 'root ::= "a"{2', /\} is expected/],
    ['R1: a token beyond the vocabulary', 'root ::= <[999999999]>', /token 999999999/],
    ['the token after the last', 'root ::= <[260]>', /token 260/],
    ['%llguidance', '%llguidance {}\nroot ::= "a"', /llguidance/],
    ['an unknown escape', 'root ::= "\\q"', /not an escape/],
    ['a short hex escape', 'root ::= "\\x4"', /2 hex digits/],
    ['a repetition of 1,001', 'root ::= "a"{1001}', /limited to 1000/],
    ['a repetition of 10³⁰', `root ::= "a"{1${'0'.repeat(30)}}`, /limited to 1000/],
    ['nested repetitions', 'root ::= (("a"{1000}){1000}){2}', /nested repetitions/],
    ['chained repetitions', 'root ::= "a"{1000}{1000}', /nested repetitions/],
    ['a long literal repeated', `root ::= "${'a'.repeat(60_000)}"{1000}`, /too large/],
    ['2,049 rules', `root ::= "a"\n${many(2048, (i) => `r${i} ::= "a"`)}`, /2048 rules/],
    [
      'doubling alternatives',
      `root ::= r0\n${many(40, (i) => `r${i} ::= r${i + 1} | r${i + 1}`)}\nr40 ::= "a"`,
      /ways/,
    ],
    [
      'doubling alternatives out of reach of the start',
      `root ::= "a" r0\n${many(40, (i) => `r${i} ::= r${i + 1} "x" | r${i + 1} "y"`)}\nr40 ::= "a"`,
      /ways/,
    ],
    ['alternatives behind the first character', `root ::= "x" (${'"a"|'.repeat(2000)}"a")`, /ways/],
    ['groups of alternatives that may be skipped', `root ::= "x" ${`(${'"a"|'.repeat(900)}"a")? `.repeat(2)}`, /ways/],
    ['a thousand copies of what may be empty', 'root ::= ("a"?){1000} "b"', /in a row may be empty|ways/],
    ['the same behind the first character', 'root ::= "x" ("a"?){1000} "b"', /in a row may be empty|ways/],
    ['the same in parts', `root ::= "x" ${'("a"?){100} '.repeat(8)}"b"`, /in a row may be empty|ways/],
    ['the same by nesting', 'root ::= "x" (("a"?){30}){30} "b"', /in a row may be empty|ways/],
    ['a NUL', 'root ::= "a"\0', /NUL/],
    ['rubbish', '}{', /name is expected/],
    ['no ::=', 'root = "a"', /::= is expected/],
    ['rubbish behind a rule', 'root ::= "a" )', /end of the rule/],
    ['! without <', 'root ::= !a', /< is expected/],
  ])('is refused: %s', (_title, text, reason) => {
    expect(reasonOf(text)).toMatch(reason)
  })

  it('with lone surrogates is made well-formed', () => {
    expect(check('root ::= "\ud800"')).toBe('root ::= "\ufffd"')
  })

  it('of any text is accepted or refused, in no time', () => {
    const word = fc.constantFrom(
      'root',
      'a',
      '::=',
      '"x"',
      '"',
      '[',
      ']',
      'a-z',
      '(',
      ')',
      '|',
      '*',
      '+',
      '?',
      '{2,3}',
      '{',
      '\n',
      '#',
      '<[1]>',
      '\\',
      '.',
      ' ',
    )
    const text = fc.oneof(
      fc.array(word, { maxLength: 60 }).map((words) => `root ::= ${words.join(' ')}`),
      fc.string(),
    )
    fc.assert(
      fc.property(text, (grammar) => {
        try {
          check(grammar)
        } catch (error) {
          expect((error as LlameroError).code).toBe('ERR_GRAMMAR')
        }
      }),
      { numRuns: 1000 },
    )
  })
})
