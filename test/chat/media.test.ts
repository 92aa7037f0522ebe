import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { checkAudio, checkImage, fromBase64, readMedia, type MediaSource } from '../../lib/chat/index.js'
import { LlameroError } from '../../lib/errors.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { tinyJpeg, tinyPng, tinyWav } from '../support/tiny-media.js'

const directory = temporaryDirectory()
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1')

function refusal(check: () => unknown): string {
  try {
    check()
  } catch (error) {
    if (error instanceof LlameroError && error.code === 'ERR_MEDIA_INVALID') return error.message
    throw error
  }
  return 'accepted'
}

async function refusalOf(source: MediaSource, kind: 'image' | 'audio' = 'image'): Promise<string> {
  return readMedia(kind, source).then(
    () => 'accepted',
    (error: unknown) => `${(error as LlameroError).code} ${(error as LlameroError).message}`,
  )
}

describe('an image is judged before it is decoded', () => {
  const sized = (width: number, height: number): Uint8Array => {
    const png = Buffer.from(tinyPng({ width: 1, height: 1 }))
    png.writeUInt32BE(width, 16)
    png.writeUInt32BE(height, 20)
    return png
  }

  it.each([
    ['a PNG', tinyPng({ width: 40, height: 24 }), { width: 40, height: 24 }],
    ['a PNG of one pixel', tinyPng({ width: 1, height: 1 }), { width: 1, height: 1 }],
    ['a JPEG', tinyJpeg(), { width: 16, height: 8 }],
    ['a PNG of the largest side', sized(8192, 41), { width: 8192, height: 41 }],
  ])('%s passes', (_, bytes, size) => expect(checkImage(bytes)).toEqual(size))

  it.each([
    ['nothing', new Uint8Array(), 'empty'],
    ['text', latin1('not an image at all'), 'unknown format'],
    ['a side of 100,000 pixels', sized(100_000, 10), '100000 × 10 pixels'],
    ['a side of 8,193', sized(8193, 8193), '8193 × 8193'],
    ['more than 32 million', sized(8192, 3907), '32000000 in all'],
    ['no width', sized(0, 10), '0 × 10'],
    ['a strip', sized(8192, 1), '200 times'],
    ['a GIF', latin1('GIF89a\x01\0\x01\0'), 'a GIF'],
    ['a BMP', latin1('BM\x46\0\0\0'), 'a BMP'],
    ['a WebP', latin1('RIFF\x24\0\0\0WEBPVP8 '), 'a WebP'],
    ['an AVIF', latin1('\0\0\0\x20ftypavif'), 'AVIF'],
    ['a PSD', latin1('8BPS\0\x01'), 'unknown format'],
    ['a sound', tinyWav(), 'audio (WAV)'],
    ['a PNG without data', Buffer.concat([tinyPng().subarray(0, 33), tinyPng().subarray(-12)]), 'holds no picture'],
    ['a JPEG without data', latin1('\xff\xd8\xff\xd9'), 'holds no picture'],
    ['a lossless JPEG', latin1('\xff\xd8\xff\xc3\0\x0b\x08\0\x10\0\x10\x01\x01\x11\0'), 'rare'],
  ])('%s is refused', (_, bytes, reason) => expect(refusal(() => checkImage(bytes))).toContain(reason))

  it.each([
    ['PNG', tinyPng({ width: 64, height: 64, seed: 3 })],
    ['JPEG', tinyJpeg()],
  ])('a %s that is cut off anywhere is refused', (_, whole) => {
    const step = whole.length > 2000 ? 64 : 1
    for (let length = 0; length < whole.length; length += step) {
      expect(refusal(() => checkImage(whole.subarray(0, length)))).not.toBe('accepted')
    }
    expect(refusal(() => checkImage(whole))).toBe('accepted')
  })
})

describe('audio is judged before it is decoded', () => {
  const flac = (seconds: number): Uint8Array => {
    const bytes = Buffer.alloc(64)
    bytes.write('fLaC', 'latin1')
    bytes[7] = 34
    const rate = 44_100
    bytes.writeUIntBE(rate * 16, 18, 3)
    bytes.writeUInt32BE(seconds * rate, 22)
    return bytes
  }

  it.each([
    ['WAV', tinyWav()],
    ['FLAC', flac(60)],
    ['MP3 with a tag', latin1('ID3\x04\0\0\0\0\0\0')],
    ['MP3', latin1('\xff\xfb\x90\0')],
  ])('%s passes', (_, bytes) => expect(refusal(() => checkAudio(bytes))).toBe('accepted'))

  it.each([
    ['nothing', new Uint8Array(), 'empty'],
    ['a picture', tinyPng(), 'neither WAV'],
    ['an Ogg', latin1('OggS\0\x02'), 'neither WAV'],
    ['a WAV that is cut off', tinyWav().subarray(0, 1000), 'cut off'],
    ['a WAV without sound', tinyWav().subarray(0, 36), 'no sound'],
    ['a WAV of half a day', tinyWav({ seconds: 1801, rate: 100 }), '1801 s'],
    ['a FLAC of an hour', flac(3600), '3600 s'],
    ['a FLAC without header', latin1('fLaC\0\0\0\x22'), 'no header'],
  ])('%s is refused', (_, bytes, reason) => expect(refusal(() => checkAudio(bytes))).toContain(reason))
})

describe('where an image comes from', () => {
  const png = tinyPng({ seed: 1 })

  it('is a path, a file: URL, a data: URL or bytes', async () => {
    const path = await directory.write('a picture.png', png)
    const data = `data:image/png;base64,${base64(png)}`
    for (const source of [path, pathToFileURL(path), String(pathToFileURL(path)), data, new URL(data), png]) {
      expect(Buffer.from((await readMedia('image', source)).bytes).equals(png)).toBe(true)
    }
  })

  it('is judged by its content, not by what it is called', async () => {
    const path = join(directory.path, 'sound.png')
    await writeFile(path, tinyWav())
    expect(await refusalOf(path)).toMatch(/^ERR_MEDIA_INVALID .*audio/)
    expect(await refusalOf(`data:image/jpeg;base64,${base64(png)}`)).toBe('accepted')
  })

  it.each([
    ['http', 'http://127.0.0.1:9/cat.png'],
    ['https', 'https://example.com/cat.png'],
    ['ftp', new URL('ftp://example.com/cat.png')],
    ['blob', 'blob:nodedata:1'],
  ])('is never fetched: %s', async (scheme, source) => {
    expect(await refusalOf(source)).toBe(
      `ERR_MEDIA_INVALID The image cannot be used: nothing is fetched from ${scheme}: addresses. Fetch it yourself and pass its bytes, a path, or a data: URL.`,
    )
  })

  it.each([
    ['another host', 'file://host/share/cat.png', /names no file|no such file/],
    ['no file', join(directory.path, 'absent.png'), /^ERR_STORE .*no such file/],
    ['a folder', directory.path, /is no file|EISDIR/],
    ['a NUL', 'cat\0.png', /NUL/],
    ['nothing', '', /empty/],
    ['data without base64', 'data:image/png,abc', /not in base64/],
    ['data without a comma', 'data:image/png;base64', /not in base64/],
    ['damaged base64', 'data:image/png;base64,!!!', /damaged/],
    ['base64 of another alphabet', 'data:image/png;base64,ab-_', /damaged/],
    ['cut base64', `data:image/png;base64,${base64(png).slice(0, -1)}`, /damaged/],
  ])('is refused: %s', async (_, source, message) => expect(await refusalOf(source)).toMatch(message))

  it.skipIf(process.platform === 'win32')('is no pipe that nobody writes to', async () => {
    const path = join(directory.path, 'pipe')
    execFileSync('mkfifo', [path])
    expect(await refusalOf(path)).toMatch(/is no file/)
  })

  it('has no more bytes than are read', async () => {
    const large = new Uint8Array(20 * 2 ** 20 + 1)
    expect(await refusalOf(large)).toMatch(/20971521 bytes/)
    expect(await refusalOf(await directory.write('large.png', large))).toMatch(/20971521 bytes/)
    expect(() => fromBase64('image', 'AAAA'.repeat(7 * 2 ** 20))).toThrow(/at most 20971520/)
  })
})
