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
  return pngOf({ width, height, data: deflateSync(rows) })
}

export interface PngOptions {
  readonly width: number
  readonly height: number
  /** Bits of a channel. */
  readonly depth?: number
  /** 0 grey, 2 red, green and blue, 3 by a palette, 4 grey with alpha, 6 colours with alpha. */
  readonly colour?: 0 | 2 | 3 | 4 | 6
  readonly interlaced?: boolean
  /** What stands in the file for the pixels; all of them 0 unless told otherwise. */
  readonly data?: Uint8Array
}

/** A PNG of any kind. */
export function pngOf({ width, height, depth = 8, colour = 2, interlaced = false, ...given }: PngOptions): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([depth, colour, 0, 0, interlaced ? 1 : 0], 8)
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[colour]
  const rows = (across: number, down: number): number =>
    across === 0 ? 0 : down * (1 + Math.ceil((across * channels * depth) / 8))
  // Where each of the seven passes begins, and how far its pixels lie from each other.
  const passes = [
    ...[[0, 0, 8, 8] as const, [4, 0, 8, 8] as const, [0, 4, 4, 8] as const, [2, 0, 4, 4] as const],
    ...[[0, 2, 2, 4] as const, [1, 0, 2, 2] as const, [0, 1, 1, 2] as const],
  ].map(([x, y, stepX, stepY]) => rows(Math.ceil((width - x) / stepX), Math.ceil((height - y) / stepY)))
  const bytes = interlaced ? passes.reduce((sum, each) => sum + each) : rows(width, height)
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...(colour === 3 ? [chunk('PLTE', Buffer.from([0, 0, 0, 255, 128, 0]))] : []),
    chunk('IDAT', Buffer.from(given.data ?? deflateSync(Buffer.alloc(bytes)))),
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

/** A FLAC of one channel with 16,000 samples a second: three frames of a saw tooth, predicted by the sample before. */
export function tinyFlac(): Uint8Array {
  const block = 1024
  const frames = 3
  const information = Buffer.alloc(38)
  information.set([0x80, 0, 0, 34, block >> 8, 0, block >> 8, 0])
  // 20 bits of the rate, 3 of the channels, 5 of the bits of a sample, 36 of the samples
  information.writeUInt32BE(((16_000 << 12) | (15 << 4)) >>> 0, 14)
  information.writeUInt32BE(frames * block, 18)
  return Buffer.concat([
    Buffer.from('fLaC'),
    information,
    ...Array.from({ length: frames }, (_, number) => flacFrame(number, block)),
  ])
}

function flacFrame(number: number, block: number): Buffer {
  const header = Buffer.from([0xff, 0xf8, 0xa5, 0x08, number])
  const bits = bitsOf([0b0_001001_0, 8], [0, 16], [0, 2], [0, 4], [riceBits, 4])
  for (let sample = 1; sample < block; sample++) bits.push(...riceOf(sample % 32 === 0 ? -31 * 8 : 8))
  while (bits.length % 8 !== 0) bits.push(0)
  const body = Buffer.alloc(bits.length / 8)
  for (const [at, bit] of bits.entries()) body[at >> 3] = ((body[at >> 3] ?? 0) << 1) | bit
  const frame = Buffer.concat([header, Buffer.from([remainder(header, 0x07, 8)]), body])
  const check = Buffer.alloc(2)
  check.writeUInt16BE(remainder(frame, 0x8005, 16))
  return Buffer.concat([frame, check])
}

const riceBits = 4

function riceOf(difference: number): number[] {
  const folded = difference < 0 ? -2 * difference - 1 : 2 * difference
  return [...Array<number>(folded >> riceBits).fill(0), 1, ...bitsOf([folded & ((1 << riceBits) - 1), riceBits])]
}

function bitsOf(...numbers: readonly (readonly [value: number, bits: number])[]): number[] {
  return numbers.flatMap(([value, bits]) => Array.from({ length: bits }, (_, at) => (value >> (bits - 1 - at)) & 1))
}

/** A cyclic redundancy check, highest bit first. */
function remainder(bytes: Uint8Array, polynomial: number, width: 8 | 16): number {
  const top = 1 << (width - 1)
  let value = 0
  for (const byte of bytes) {
    value ^= byte << (width - 8)
    for (let bit = 0; bit < 8; bit++) value = value & top ? (value << 1) ^ polynomial : value << 1
    value &= (1 << width) - 1
  }
  return value
}
