import { LlameroError } from '../errors.js'
import type { ByteSource } from './byte-source.js'
import { invalidModel } from './fault.js'
import { limits } from './limits.js'

const firstCapacity = 256 * 1024

/**
 * Reads a header forward through a small window over the file. `fill` makes bytes available; the readers then take
 * them without waiting. Nothing is allocated for bytes that the file does not have.
 */
export class HeaderWindow {
  readonly #source: ByteSource
  readonly #fileSize: number
  readonly #signal: AbortSignal | undefined
  #buffer: Buffer
  #view: DataView
  #start = 0
  #cursor = 0
  #end = 0

  /** Byte order of the file; numbers are read in it. */
  littleEndian = true
  /** What is being read, for messages. */
  section = 'the header'

  constructor(source: ByteSource, signal: AbortSignal | undefined) {
    const fileSize = source.sizeBytes
    this.#source = source
    this.#fileSize = fileSize
    this.#signal = signal
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(firstCapacity, Math.max(fileSize, 1)))
    this.#view = new DataView(this.#buffer.buffer)
  }

  get position(): number {
    return this.#start + this.#cursor
  }

  /** Bytes between the position and the end of the file. */
  get remaining(): number {
    return this.#fileSize - this.position
  }

  has(count: number): boolean {
    return this.#end - this.#cursor >= count
  }

  /** Makes `count` bytes available, or throws if the file or the limit ends before. */
  async fill(count: number): Promise<void> {
    if (this.has(count)) return
    this.expect(count)
    this.#signal?.throwIfAborted()
    this.#makeRoom(count)
    while (!this.has(count)) {
      const room = Math.min(this.#buffer.length - this.#end, this.#fileSize - this.#start - this.#end)
      this.#end += await this.#read(this.#buffer, this.#end, room, this.#start + this.#end)
    }
  }

  /** Fills `target` from the position on, past the window. */
  async readInto(target: Uint8Array): Promise<void> {
    this.expect(target.length)
    const ready = Math.min(target.length, this.#end - this.#cursor)
    target.set(this.bytes(ready))
    let done = ready
    while (done < target.length) {
      this.#signal?.throwIfAborted()
      done += await this.#read(target, done, target.length - done, this.position + done - ready)
    }
    if (done > ready) {
      this.#start = this.position + done - ready
      this.#cursor = this.#end = 0
    }
  }

  /** The next `count` bytes; a view that the next `fill` may overwrite. */
  bytes(count: number): Buffer {
    this.#cursor += count
    return this.#buffer.subarray(this.#cursor - count, this.#cursor)
  }

  u8 = () => this.#view.getUint8(this.#advance(1))
  i8 = () => this.#view.getInt8(this.#advance(1))
  u16 = () => this.#view.getUint16(this.#advance(2), this.littleEndian)
  i16 = () => this.#view.getInt16(this.#advance(2), this.littleEndian)
  u32 = () => this.#view.getUint32(this.#advance(4), this.littleEndian)
  i32 = () => this.#view.getInt32(this.#advance(4), this.littleEndian)
  f32 = () => this.#view.getFloat32(this.#advance(4), this.littleEndian)
  f64 = () => this.#view.getFloat64(this.#advance(8), this.littleEndian)
  u64 = () => this.#view.getBigUint64(this.#advance(8), this.littleEndian)
  i64 = () => this.#view.getBigInt64(this.#advance(8), this.littleEndian)

  /** A 64-bit count as a number: exact up to 2^53, and large whenever it is larger. */
  count(): number {
    const first = this.u32()
    const second = this.u32()
    return this.littleEndian ? second * 2 ** 32 + first : first * 2 ** 32 + second
  }

  #advance(count: number): number {
    const at = this.#cursor
    this.#cursor += count
    return at
  }

  /** Throws if the file or the limit ends before `count` more bytes. */
  expect(count: number): void {
    if (count > this.remaining) {
      throw invalidModel(
        `it ends inside ${this.section}, at byte ${this.#fileSize}; it is truncated or damaged, so fetch it again.`,
        { offset: this.position, sizeBytes: this.#fileSize },
      )
    }
    if (this.position + count > limits.headerBytes) {
      throw invalidModel(`its metadata is longer than ${limits.headerBytes} bytes, the most that is read.`, {
        offset: this.position,
        limit: limits.headerBytes,
      })
    }
  }

  #makeRoom(count: number): void {
    const kept = this.#buffer.subarray(this.#cursor, this.#end)
    if (count > this.#buffer.length) {
      this.#buffer = Buffer.allocUnsafeSlow(count)
      this.#view = new DataView(this.#buffer.buffer)
    }
    this.#buffer.set(kept)
    this.#start += this.#cursor
    this.#end = kept.length
    this.#cursor = 0
  }

  async #read(target: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    let bytesRead: number
    try {
      bytesRead = await this.#source.read(target, offset, length, position)
    } catch (cause) {
      this.#signal?.throwIfAborted()
      if (cause instanceof LlameroError) throw cause
      throw invalidModel(`it could not be read inside ${this.section}.`, { offset: position }, cause)
    }
    if (bytesRead === 0) throw invalidModel(`it became shorter while ${this.section} was being read.`)
    return bytesRead
  }
}
