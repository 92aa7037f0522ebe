import { describe, expect, it } from 'vitest'
import { timeoutError } from '../../lib/model/timeout-error.js'
import type { NativeFinish, NativeRequest } from '../../lib/native-types.js'
import { openFake } from '../support/fake-model.js'

const finish = (given: Partial<NativeFinish>): NativeFinish => ({
  reason: 'error',
  errorCode: 'ERR_TIMEOUT',
  errorMessage: '',
  inputTokens: 900,
  cachedTokens: 0,
  outputTokens: 0,
  draftTokens: 0,
  acceptedTokens: 0,
  queueMs: 0,
  prefillMs: 0,
  decodeMs: 0,
  ttftMs: 0,
  ...given,
})
const request = (timeoutMs: number, queueTimeoutMs: number) => ({ timeoutMs, queueTimeoutMs }) as NativeRequest

describe('a request that ran out of time', () => {
  it.each([
    [
      'in the queue',
      finish({ queueMs: 500.4 }),
      request(500, 0),
      { option: 'timeoutMs', limitMs: 500, phase: 'queue' },
      'The request was ended after its timeoutMs of 500 ms, before it got a place in the engine; ' +
        'send fewer at once or raise timeoutMs.',
    ],
    [
      'in the queue, whose own limit was shorter',
      finish({ queueMs: 200.7 }),
      request(500, 200),
      { option: 'queueTimeoutMs', limitMs: 200, phase: 'queue' },
      'The request was ended after its queueTimeoutMs of 200 ms, before it got a place in the engine; ' +
        'send fewer at once or raise queueTimeoutMs.',
    ],
    [
      'on its prompt',
      finish({ queueMs: 100.2, prefillMs: 400.1 }),
      request(500, 0),
      { option: 'timeoutMs', limitMs: 500, phase: 'prefill' },
      'The request was ended after its timeoutMs of 500 ms, 100 ms of them in the queue and 400 ms on its prompt of ' +
        '900 tokens; shorten it or raise timeoutMs.',
    ],
    [
      'on its answer',
      finish({ queueMs: 10, prefillMs: 90, decodeMs: 400, outputTokens: 77 }),
      request(500, 0),
      { option: 'timeoutMs', limitMs: 500, phase: 'decode', outputTokens: 77 },
      'The request was ended after its timeoutMs of 500 ms, 10 ms of them in the queue, 90 ms on its prompt of ' +
        '900 tokens and 400 ms on 77 tokens of the answer; shorten it or raise timeoutMs.',
    ],
  ])('%s says so, with numbers', (_where, finished, given, details, message) => {
    const error = timeoutError(finished, given)
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', status: 504, details, message })
  })

  it('rejects, and is no defect of ours', async () => {
    const { model, addon } = await openFake()
    addon.engine().failWith = 'ERR_TIMEOUT'
    await expect(model.generate('x', { timeoutMs: 5 })).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
      details: { option: 'timeoutMs', limitMs: 5 },
    })
  })
})
