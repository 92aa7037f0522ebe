import { describe, expect, it } from 'vitest'
import { byteSize } from '../../lib/cli/byte-size.js'
import { displayWidth } from '../../lib/cli/display-width.js'
import { goDuration, timeLeft } from '../../lib/cli/duration.js'
import { relativeTime } from '../../lib/cli/relative-time.js'
import { table } from '../../lib/cli/table.js'

describe('byteSize: decimal units, one decimal below ten unless it is whole', () => {
  it.each([
    [0, '0 B'],
    [512, '512 B'],
    [999, '999 B'],
    [1000, '1 KB'],
    [1500, '1.5 KB'],
    [9_600_000_000, '9.6 GB'],
    [13_900_000_000, '13 GB'],
    [274_302_450, '274 MB'],
    [98_363_027, '98 MB'],
    [2_000_000, '2 MB'],
    [5_000_000_000_000, '5 TB'],
    [7_000_000_000_000_000, '7000 TB'],
  ])('%d is %s', (bytes, text) => expect(byteSize(bytes)).toBe(text))
})

describe("goDuration: Go's format to the nanosecond", () => {
  it.each([
    [0, '0s'],
    [0.0000004, '0s'],
    [0.000001, '1ns'],
    [0.0015, '1.5µs'],
    [0.999999, '999.999µs'],
    [1, '1ms'],
    [12.3, '12.3ms'],
    [1000, '1s'],
    [1234.567891, '1.234567891s'],
    [59_999.999999, '59.999999999s'],
    [60_000, '1m0s'],
    [62_500, '1m2.5s'],
    [3_600_000, '1h0m0s'],
    [3_723_500, '1h2m3.5s'],
    [90_000_000, '25h0m0s'],
  ])('%d ms are %s', (milliseconds, text) => expect(goDuration(milliseconds)).toBe(text))
})

describe('timeLeft: at most two units', () => {
  it.each([
    [0, '0s'],
    [44.6, '45s'],
    [59.9, '1m0s'],
    [312, '5m12s'],
    [3780, '1h3m'],
    [359_999, '99h59m'],
    [360_000, '99h+'],
    [Infinity, '99h+'],
    [Number.NaN, '99h+'],
  ])('%d seconds are %s', (seconds, text) => expect(timeLeft(seconds)).toBe(text))
})

describe('relativeTime', () => {
  const second = 1000
  const minute = 60 * second
  const hour = 60 * minute
  const day = 24 * hour
  it.each([
    [0, 'Less than a second ago'],
    [999, 'Less than a second ago'],
    [second, '1 second ago'],
    [59 * second, '59 seconds ago'],
    [minute, 'About a minute ago'],
    [119 * second, 'About a minute ago'],
    [2 * minute, '2 minutes ago'],
    [59 * minute, '59 minutes ago'],
    [hour, 'About an hour ago'],
    [89 * minute, 'About an hour ago'],
    [91 * minute, '2 hours ago'],
    [47 * hour, '47 hours ago'],
    [2 * day, '2 days ago'],
    [13 * day, '13 days ago'],
    [14 * day, '2 weeks ago'],
    [59 * day, '8 weeks ago'],
    [60 * day, '2 months ago'],
    [729 * day, '24 months ago'],
    [730 * day, '2 years ago'],
    [-3 * day, '3 days from now'],
  ])('%d ms', (milliseconds, text) => {
    const now = new Date('2025-06-01T12:00:00Z')
    expect(relativeTime(new Date(now.getTime() - milliseconds), now)).toBe(text)
  })
})

describe('displayWidth: cells of a terminal', () => {
  it.each([
    ['', 0],
    ['abc', 3],
    ['e\u0301', 1],
    ['日本', 4],
    ['👩‍👩‍👧', 2],
    ['한', 2],
    ['❤️', 2],
    ['▕█▏', 3],
  ])('%s', (text, width) => expect(displayWidth(text)).toBe(width))
})

describe('table', () => {
  it('pads columns by four spaces and leaves no spaces at the ends of lines', () =>
    expect(
      table(
        ['NAME', 'ID'],
        [
          ['longer:latest', '1'],
          ['日本:1', '22'],
        ],
      ),
    ).toBe('NAME             ID\nlonger:latest    1\n日本:1           22\n'))
  it('has its header even without rows', () => expect(table(['A', 'B'], [])).toBe('A    B\n'))
})
