import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { joinPieces, type MediaPrompt, type PromptPiece } from '../../lib/model/media-prompt.js'
import { nativeAddon } from '../../lib/native.js'
import type { NativeProjector } from '../../lib/native-types.js'
import { mediaPairs, mediumOf, writePair } from '../support/media-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { noRoot } from './bare-addon.mjs'
import { openRawEngine, type RawEngine, type RawRequest } from './raw-engine.js'

const directory = temporaryDirectory()
const shape = { contextSize: 1024, maxSequences: 4, cachedSequences: 8, cacheBytes: 2 ** 24 }

describe.each(mediaPairs)('sessions with media: %s with %s', (...pair) => {
  const addon = nativeAddon()
  let engine: RawEngine
  let projector: NativeProjector

  beforeAll(async () => {
    const { path, projector: source } = await writePair(directory.path, pair)
    engine = await openRawEngine(path, shape)
    const options = { useGpu: false, threads: 2, cacheBytes: 2 ** 20, mostTogether: 512 }
    projector = await addon.projectorLoad(engine.model, { path: source.path, ...options })
  })
  afterAll(async () => {
    addon.projectorClose(projector)
    await engine.close()
  })

  async function encoded(seed: number, given?: Uint8Array) {
    const part = mediumOf(pair, seed)
    const [kind, bytes] =
      part.type === 'image'
        ? (['image', part.image] as const)
        : (['audio', part.type === 'audio' ? part.audio : ''] as const)
    const file = bytes as Uint8Array
    const digest = Buffer.from(given ?? createHash('sha256').update(file).digest())
    const native = await addon.mediumEncode(projector, kind, digest, file, addon.createCancelFlag())
    return { tokens: addon.mediumTokens(native), digest: digest.toString('hex'), native }
  }

  async function prompt(...given: (string | number | Int32Array)[]): Promise<MediaPrompt> {
    const pieces: PromptPiece[] = []
    for (const piece of given) {
      if (piece instanceof Int32Array) pieces.push(piece)
      else pieces.push(await (typeof piece === 'string' ? engine.tokenize(piece) : encoded(piece)))
    }
    return joinPieces(pieces)
  }

  const run = ({ tokens, media }: MediaPrompt, request: RawRequest = {}) =>
    engine.run(tokens, { media, maxTokens: 8, ignoreEos: true, ...request })

  const beginning = 'A beginning that is long enough to be worth its cells, is it not? '

  it('go on from what is kept, and say what a fresh request says', async () => {
    const first = await run(await prompt(beginning, 1, ' And?'), { session: 1 })
    const turn = await prompt(beginning, 1, ' And?', Int32Array.from(first.tokens), ' More: ', 2, ' so?')
    const kept = await run(turn, { session: 1 })
    const fresh = await run(turn, { cacheKey: 'fresh' })
    expect(kept.tokens).toEqual(fresh.tokens)
    expect(kept.finish.cachedTokens).toBeGreaterThan(beginning.length)
    expect(fresh.finish.cachedTokens).toBe(0)
  })

  it('are forked, and each branch sees its own', async () => {
    const start = await prompt(beginning, 1, ' And?')
    const { tokens } = await run(start, { session: 11 })
    expect(await addon.sessionFork(engine.native, 11, 12)).toBe(true)
    const said = Int32Array.from(tokens)
    const branch = (seed: number) => prompt(beginning, 1, ' And?', said, ' then ', seed, '!')
    const [left, right] = await Promise.all([
      run(await branch(2), { session: 11 }),
      run(await branch(3), { session: 12 }),
    ])
    expect(left.tokens).toEqual((await run(await branch(2), { cacheKey: 'left' })).tokens)
    expect(right.tokens).toEqual((await run(await branch(3), { cacheKey: 'right' })).tokens)
  })

  it('are cut at any length, and never inside of a medium', async () => {
    const whole = await prompt(beginning, 1, ' And?')
    for (const length of [whole.tokens.length - 2, whole.media[0]!.at + 3, whole.media[0]!.at, 5]) {
      await run(whole, { session: 21 })
      await addon.sessionCut(engine.native, 21, length)
      expect(await addon.sessionTokens(engine.native, 21)).toBeLessThanOrEqual(length)
      const again = await run(whole, { session: 21 })
      expect(again.tokens).toEqual((await run(whole, { cacheKey: `cut ${length}` })).tokens)
    }
  })

  it('are saved and restored, also ending with a medium', async () => {
    for (const [index, end] of [' And?', ''].entries()) {
      const whole = await prompt(beginning, 1, ...(end === '' ? [] : [end]))
      await run(whole, { session: 31, maxTokens: 0 })
      const snapshot = await addon.sessionSave(engine.native, 31)
      expect(snapshot?.tokens.some((token) => token < -1)).toBe(true)
      await addon.sessionForget(engine.native, 31)
      await addon.cacheDrop(engine.native)
      await addon.sessionRestore(engine.native, 32 + index, noRoot, snapshot!)
      const more = await prompt(whole.tokens.subarray(0, 0), beginning, 1, end, ' so what?')
      const restored = await run(more, { session: 32 + index })
      expect(restored.finish.cachedTokens).toBeGreaterThan(beginning.length)
      expect(restored.tokens).toEqual((await run(more, { cacheKey: `restored ${index}` })).tokens)
    }
  })

  it('drop whole media when they shift, and go on', async () => {
    const whole = await prompt(beginning, 1, ' And then?')
    const at = whole.tokens.length + 10
    const middle = whole.media[0]!.at + 2
    const shift = { shiftAt: at, shiftKeep: 4, shiftDrop: middle - 4 }
    const { finish, tokens } = await run(whole, { ...shift, maxTokens: 60 })
    expect([finish.reason, tokens.length]).toEqual(['length', 60])
  })

  it('share no part of media that only begin alike', async () => {
    const like = (last: number) => Uint8Array.from({ length: 32 }, (_, at) => (at === 6 ? last : 7))
    const [one, other] = [await encoded(1, like(1)), await encoded(2, like(2))]
    expect(one.tokens.find((token) => token < -1)).toBe(other.tokens.find((token) => token < -1))
    const tokens = await Promise.all([engine.tokenize(beginning), engine.tokenize(' And?')])
    const ask = (medium: PromptPiece, cacheKey: string) =>
      run(joinPieces([tokens[0], medium, tokens[1]]), { cacheKey, logprobs: 0 })
    await ask(one, 'alike')
    const second = await ask(other, 'alike')
    const fresh = await ask(other, 'not alike')
    const before = tokens[0].length + other.tokens.findIndex((token) => token < -1)
    expect(second.finish.cachedTokens).toBeLessThanOrEqual(before)
    expect(second.logprobs[0]?.[0]?.logprob).toBeCloseTo(fresh.logprobs[0]?.[0]?.logprob ?? NaN, 5)
  })

  it('refuse ids of media that did not come along', async () => {
    const { tokens } = await prompt(beginning, 1, ' And?')
    await expect(engine.run(tokens)).rejects.toMatchObject({ code: 'ERR_TOKEN_INVALID' })
    const given = await prompt(beginning, 1, ' And?')
    const moved = { ...given, media: given.media.map((one) => ({ ...one, at: one.at + 1 })) }
    await expect(run(moved)).rejects.toMatchObject({ code: 'ERR_INTERNAL' })
    await expect(run({ tokens: Int32Array.of(-1), media: [] })).rejects.toMatchObject({ code: 'ERR_TOKEN_INVALID' })
  })
})
