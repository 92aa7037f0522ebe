import { deflateSync } from 'node:zlib'
import { seededRandom } from './seeded-random.js'

export interface TinyPngOptions {
  readonly width?: number
  readonly height?: number
  readonly seed?: number
}

/** A PNG of random pixels, the same for the same seed; all black without one. */
export function tinyPng({ width = 40, height = 24, seed }: TinyPngOptions = {}): Uint8Array {
  const rows = Buffer.alloc(height * (1 + 3 * width))
  if (seed !== undefined) {
    const random = seededRandom(seed)
    for (let at = 0; at < rows.length; at++) rows[at] = at % (1 + 3 * width) === 0 ? 0 : Math.floor(256 * random())
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const out = Buffer.alloc(body.length + 8)
  out.writeUInt32BE(data.length, 0)
  body.copy(out, 4)
  out.writeUInt32BE(crc(body), body.length + 4)
  return out
}

function crc(bytes: Uint8Array): number {
  let value = 0xffff_ffff
  for (const byte of bytes) {
    value ^= byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1
  }
  return (value ^ 0xffff_ffff) >>> 0
}

export interface TinyWavOptions {
  readonly seconds?: number
  readonly hertz?: number
  readonly rate?: number
}

/** A tone as a WAV of 16 bits. */
export function tinyWav({ seconds = 0.5, hertz = 440, rate = 16_000 }: TinyWavOptions = {}): Uint8Array {
  const samples = Math.floor(seconds * rate)
  const out = Buffer.alloc(44 + 2 * samples)
  out.write('RIFF', 0, 'latin1')
  out.writeUInt32LE(out.length - 8, 4)
  out.write('WAVEfmt ', 8, 'latin1')
  out.writeUInt32LE(16, 16)
  out.writeUInt16LE(1, 20)
  out.writeUInt16LE(1, 22)
  out.writeUInt32LE(rate, 24)
  out.writeUInt32LE(2 * rate, 28)
  out.writeUInt16LE(2, 32)
  out.writeUInt16LE(16, 34)
  out.write('data', 36, 'latin1')
  out.writeUInt32LE(2 * samples, 40)
  for (let at = 0; at < samples; at++) {
    out.writeInt16LE(Math.round(12_000 * Math.sin((2 * Math.PI * hertz * at) / rate)), 44 + 2 * at)
  }
  return out
}

/** A grey JPEG of 16 × 8 pixels, baseline. */
export function tinyJpeg(): Uint8Array {
  const segment = (marker: number, body: readonly number[]): number[] => [
    0xff,
    marker,
    (body.length + 2) >> 8,
    (body.length + 2) & 0xff,
    ...body,
  ]
  // One code of one bit in each table: the difference of the mean is 0, and the block ends.
  const table = (kind: number): number[] => [kind, 1, ...Array<number>(15).fill(0), 0]
  return Uint8Array.from([
    ...[0xff, 0xd8],
    ...segment(0xdb, [0, ...Array<number>(64).fill(1)]),
    ...segment(0xc0, [8, 0, 8, 0, 16, 1, 1, 0x11, 0]),
    ...segment(0xc4, table(0x00)),
    ...segment(0xc4, table(0x10)),
    ...segment(0xda, [1, 1, 0, 0, 63, 0]),
    ...[0x0f, 0xff, 0xd9],
  ])
}
