import { readFileSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkAudio, checkImage, type MediaKind } from '../../lib/chat/media/index.js'
import { LlameroError } from '../../lib/errors.js'
import { nativeAddon } from '../../lib/native.js'
import type { NativeModel, NativeProjector } from '../../lib/native.js'
import { writePair, type MediaPair } from '../support/media-models.js'
import { randomBelow, seededRandom } from '../support/seeded-random.js'
import { pngOf, tinyFlac, tinyJpeg, tinyPng, tinyWav } from '../support/tiny-media.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { loadModel } from './bare-addon.mjs'

const directory = temporaryDirectory()
const addon = nativeAddon()
const upstream = (name: string) => readFileSync(new URL(`../../llama.cpp/source/tools/mtmd/${name}`, import.meta.url))

interface Opened {
  readonly model: NativeModel
  readonly projector: NativeProjector
}

async function open(pair: MediaPair): Promise<Opened> {
  const { path, projector } = await writePair(directory.path, pair)
  const model = await loadModel(addon, path)
  const options = { path: projector.path, useGpu: false, threads: 1, cacheBytes: 0, mostTogether: 512 }
  return { model, projector: await addon.projectorLoad(model, options) }
}

let opened: Readonly<Record<MediaKind, Opened>>
beforeAll(async () => {
  opened = { image: await open(['llama', 'janus_pro']), audio: await open(['llama', 'ultravox']) }
})
afterAll(() => {
  for (const { model, projector } of Object.values(opened)) {
    addon.projectorClose(projector)
    addon.modelClose(model)
  }
})

/** What comes of a file on the way of all files: "taken", or the code of the error. */
async function outcome(kind: MediaKind, bytes: Uint8Array): Promise<string> {
  try {
    if (kind === 'image') checkImage(bytes)
    else checkAudio(bytes)
    const digest = new Uint8Array(32)
    addon.mediumRelease(await addon.mediumEncode(opened[kind].projector, kind, digest, bytes, addon.createCancelFlag()))
    return 'taken'
  } catch (error) {
    if (error instanceof LlameroError) return error.code
    throw error
  }
}

/** One to four edits: bytes that are set, taken out, put in twice, or all behind them gone. */
function mutate(bytes: Uint8Array, seed: number): Uint8Array {
  const random = seededRandom(seed)
  let mutant = Buffer.from(bytes)
  for (let edits = 1 + randomBelow(random, 4); edits > 0; edits--) {
    // Half of them where headers are.
    const end = randomBelow(random, 2) === 0 ? Math.min(mutant.length, 200) : mutant.length
    const at = randomBelow(random, Math.max(1, end))
    const rest = mutant.subarray(at)
    const length = 1 + randomBelow(random, 8)
    const kind = randomBelow(random, 12)
    if (kind < 4) mutant[at] = (mutant[at] ?? 0) ^ (1 << randomBelow(random, 8))
    else if (kind < 8)
      mutant.fill(
        [0, 1, 0x7f, 0x80, 0xff][randomBelow(random, 5)] ?? 0,
        at,
        Math.min(mutant.length, at + (length >> 1)),
      )
    else if (kind === 8) mutant = Buffer.concat([mutant.subarray(0, at), rest.subarray(length)])
    else if (kind === 9) mutant = Buffer.concat([mutant.subarray(0, at + length), rest])
    else if (kind === 10) mutant[at] = randomBelow(random, 256)
    else mutant = Buffer.concat([mutant.subarray(0, at), Buffer.alloc(length, randomBelow(random, 256)), rest])
  }
  return mutant
}

const files: readonly [title: string, kind: MediaKind, bytes: Uint8Array, seeds: number][] = [
  ['a PNG', 'image', tinyPng({ seed: 1 }), 300],
  [
    'a PNG of 16 bits, interlaced',
    'image',
    pngOf({ width: 20, height: 20, depth: 16, colour: 6, interlaced: true }),
    300,
  ],
  ['a PNG with a palette', 'image', pngOf({ width: 40, height: 9, depth: 4, colour: 3 }), 300],
  ['a small JPEG', 'image', tinyJpeg(), 300],
  ['a photograph as JPEG', 'image', upstream('test-1.jpeg'), 24],
  ['a WAV', 'audio', tinyWav({ seconds: 0.2 }), 100],
  ['a FLAC', 'audio', tinyFlac(), 100],
  ['an MP3', 'audio', upstream('test-2.mp3').subarray(0, 20_000), 60],
]

describe('damaged files', () => {
  it.each(files)('are taken or refused: %s', { timeout: 600_000 }, async (_title, kind, bytes, seeds) => {
    expect(await outcome(kind, bytes)).toBe('taken')
    const outcomes = new Map<string, number>()
    for (let seed = 0; seed < seeds; seed++) {
      const found = await outcome(kind, mutate(bytes, seed))
      outcomes.set(found, (outcomes.get(found) ?? 0) + 1)
    }
    expect([...outcomes.keys()].filter((key) => key !== 'taken')).toEqual(['ERR_MEDIA_INVALID'])
    expect(outcomes.get('taken')).toBeGreaterThan(0)
    expect(await outcome(kind, bytes)).toBe('taken')
  })
})

it('a PNG whose data come to more than its pixels is refused before they are unpacked', async () => {
  const bomb = pngOf({ width: 8, height: 8, data: deflateSync(Buffer.alloc(64 * 2 ** 20)) })
  expect(bomb.length).toBeLessThan(2 ** 17)
  checkImage(bomb)
  const { projector } = opened.image
  const before = process.memoryUsage.rss()
  await expect(
    addon.mediumEncode(projector, 'image', new Uint8Array(32), bomb, addon.createCancelFlag()),
  ).rejects.toMatchObject({
    code: 'ERR_MEDIA_INVALID',
    message: expect.stringMatching(/more memory than its pixels/) as string,
  })
  expect(process.memoryUsage.rss() - before).toBeLessThan(32 * 2 ** 20)
})
