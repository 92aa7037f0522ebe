import { describe, expect, it } from 'vitest'
import { parseModelfile, printModelfile } from '../../lib/modelfile/index.js'
import { cpuTime } from '../support/cpu-time.js'
import { failure, outcome } from './failure.js'

const most = 8 * 1024 * 1024

/** As much of a text as fits into a Modelfile behind a beginning. */
function filled(start: string, text: string, end = ''): string {
  return start + text.repeat(Math.floor((most - start.length - end.length) / text.length)) + end
}

describe('hostile text', () => {
  it.each([
    ['one long line', filled('FROM m\nSYSTEM ', 'a'), 'read'],
    ['blanks', filled('FROM m\nSYSTEM a', ' '), 'read'],
    ['blanks in quotes', filled('FROM m\nSYSTEM "', ' ', '"'), 'read'],
    ['blanks in lines in quotes', filled('FROM m\nSYSTEM "', '  \n', '"'), 'read'],
    ['an open quote', filled('FROM m\nSYSTEM """', 'a b\n'), 'refused'],
    ['an open quote with quotes', filled('FROM m\nSYSTEM """', '"" \n'), 'refused'],
    ['nothing but quotes', filled('FROM m\nSYSTEM ', '"', '\n'), 'read'],
    ['an open here-document', filled('FROM m\nSYSTEM<<END\n', 'ENDS\n'), 'refused'],
    ['a here-document of a long word', filled('FROM m\nSYSTEM<<', 'a'), 'refused'],
    ['blanks behind its word', filled('FROM m\nSYSTEM<<a', ' ', 'b'), 'refused'],
    ['empty lines', filled('FROM m', '\r'), 'read'],
    ['comments', filled('FROM m\n', '#\n'), 'read'],
    ['a long word', filled('FROM m\n', 'a', ' b'), 'refused'],
    ['a long name', filled('FROM m\nPARAMETER ', 'a', ' b'), 'refused'],
    ['a long role', filled('FROM m\nMESSAGE ', 'a', ' b'), 'refused'],
    ['a long number', filled('FROM m\nPARAMETER num_ctx ', '1'), 'refused'],
    ['a long number that is none', filled('FROM m\nPARAMETER top_p ', '1', 'x'), 'refused'],
    ['a long version that is none', filled('FROM m\nREQUIRES 1.0.0-', '1.', '+'), 'refused'],
    ['a million instructions', 'FROM m\n'.repeat(1_000_000), 'refused'],
    ['100,000 stops', `FROM m\n${'PARAMETER stop a\n'.repeat(100_000)}`, 'refused'],
    ['a last half of a pair', filled('FROM m\nSYSTEM ', 'a').slice(0, -4) + '\ud800', 'refused'],
  ])('of 8 MiB with %s takes time in proportion', async (_name, text, expected) => {
    // Some 0.2 s each; what grows with the square would take hours.
    expect(await cpuTime(() => expect(outcome(text)).toBe(expected))).toBeLessThan(5_000)
  })

  it.each([
    ['', 'a """ \n'],
    ['', 'END_\n"""\n'],
    ['END', '_'],
    ['"', '\n"""'],
  ])('is printed in time in proportion: %j and many %j', async (start, text) => {
    const value = `"""\n${filled(start, text).slice(0, -100)}`
    const spent = await cpuTime(() => {
      const printed = printModelfile([
        { type: 'from', value: 'm' },
        { type: 'system', value },
      ])
      expect(printed.length).toBeGreaterThan(value.length)
    })
    expect(spent).toBeLessThan(5_000)
  })

  it('that is longer than 8 MiB is refused at once', async () => {
    const bytes = new Uint8Array(100 * 1024 * 1024).fill(0x61)
    const spent = await cpuTime(() => expect(failure(() => parseModelfile(bytes)).message).toContain('8388608 bytes'))
    expect(spent).toBeLessThan(500)
    expect(outcome('漢'.repeat(most / 3 + 1))).toBe('refused')
  })

  it('with too many instructions is refused where they are too many', () => {
    expect(parseModelfile('FROM m\n'.repeat(65_536))).toHaveLength(65_536)
    expect(failure(() => parseModelfile('FROM m\n'.repeat(65_537)))).toMatchObject({ line: 65_537, column: 1 })
  })
})
