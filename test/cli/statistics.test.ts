import { expect, it } from 'vitest'
import { statistics } from '../../lib/cli/statistics.js'

const usage = {
  inputTokens: 36,
  cachedTokens: 0,
  outputTokens: 11,
  draftTokens: 0,
  acceptedTokens: 0,
  reasoningTokens: 0,
  queueMs: 0,
  prefillMs: 100,
  decodeMs: 250,
  ttftMs: 101,
}

it('prints the block of Ollama', () =>
  expect(statistics({ usage, loadMs: 1500, totalMs: 1850.5 })).toBe(
    [
      'total duration:       1.8505s',
      'load duration:        1.5s',
      'prompt eval count:    36 token(s)',
      'prompt eval duration: 100ms',
      'prompt eval rate:     360.00 tokens/s',
      'eval count:           11 token(s)',
      'eval duration:        250ms',
      'eval rate:            40.00 tokens/s',
      '',
    ].join('\n'),
  ))

it('counts only what was computed into the rate', () =>
  expect(statistics({ usage: { ...usage, cachedTokens: 26 }, loadMs: 0, totalMs: 1 })).toContain('rate:     100.00'))

it('adds what speculation did', () =>
  expect(statistics({ usage: { ...usage, draftTokens: 9, acceptedTokens: 7 }, loadMs: 0, totalMs: 1 })).toContain(
    'draft count:          9 token(s)\ndraft accepted:       7 token(s)\n',
  ))

it('leaves out what is zero', () =>
  expect(
    statistics({
      usage: { ...usage, inputTokens: 0, outputTokens: 1, prefillMs: 0, decodeMs: 0 },
      loadMs: 0,
      totalMs: 1,
    }),
  ).toBe('total duration:       1ms\neval count:           1 token(s)\n'))
