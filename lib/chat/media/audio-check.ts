import { invalidMedia } from './fault.js'
import { mostSeconds } from './limits.js'

/** What is said of the length when it is not known before decoding. */
const sizeUnknown = 0xffff_ff00

/**
 * Judges audio by its header before any decoder sees it: WAV, MP3 or FLAC, not longer than half an hour as far as the
 * header tells. Throws `ERR_MEDIA_INVALID`.
 */
export function checkAudio(bytes: Uint8Array): void {
  const text = Buffer.from(bytes.subarray(0, 16)).toString('latin1')
  if (text.startsWith('RIFF') && text.startsWith('WAVE', 8)) return checkWav(bytes)
  if (text.startsWith('fLaC')) return checkFlac(bytes)
  if (text.startsWith('ID3') || isFrame(bytes)) return
  const found = bytes.length === 0 ? 'it is empty' : 'it is neither WAV, MP3 nor FLAC'
  throw invalidMedia('audio', `${found}; convert it to one of these.`)
}

function checkWav(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let bytesPerSecond = 0
  for (let at = 12; at + 8 <= bytes.length;) {
    const type = Buffer.from(bytes.subarray(at, at + 4)).toString('latin1')
    const length = view.getUint32(at + 4, true)
    const body = at + 8
    if (type === 'fmt ' && length >= 16 && body + 16 <= bytes.length) bytesPerSecond = view.getUint32(body + 8, true)
    if (type === 'data') {
      if (bytesPerSecond === 0) throw invalidMedia('audio', 'the WAV does not say how it is to be read.')
      const there = bytes.length - body
      if (length > there && length < sizeUnknown) throw invalidMedia('audio', 'the WAV is cut off.')
      return checkSeconds(Math.min(length, there) / bytesPerSecond)
    }
    at = body + length + (length % 2)
  }
  throw invalidMedia('audio', 'the WAV holds no sound.')
}

function checkFlac(bytes: Uint8Array): void {
  // The block STREAMINFO: 20 bits of the rate at byte 18, 36 bits of the number of samples at the end of byte 21.
  if (bytes.length < 42 || ((bytes[4] ?? 0) & 0x7f) !== 0) throw invalidMedia('audio', 'the FLAC has no header.')
  const byte = (at: number): number => bytes[at] ?? 0
  const rate = (byte(18) << 12) | (byte(19) << 4) | (byte(20) >> 4)
  const low = ((byte(22) << 24) | (byte(23) << 16) | (byte(24) << 8) | byte(25)) >>> 0
  const samples = (byte(21) & 0x0f) * 2 ** 32 + low
  if (rate === 0) throw invalidMedia('audio', 'the FLAC has no sample rate.')
  checkSeconds(samples / rate)
}

function checkSeconds(seconds: number): void {
  if (seconds <= mostSeconds) return
  throw invalidMedia('audio', `it lasts ${Math.round(seconds)} s; at most ${mostSeconds} s may be. Give a piece of it.`)
}

/** Whether the bytes begin as a frame of MPEG audio does. */
function isFrame(bytes: Uint8Array): boolean {
  const [first = 0, second = 0, third = 0] = bytes
  const layer = (second >> 1) & 3
  return first === 0xff && (second & 0xe0) === 0xe0 && layer === 1 && third >> 4 !== 0xf && ((third >> 2) & 3) !== 3
}
