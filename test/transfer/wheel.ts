import { deflateRawSync } from 'node:zlib'

export interface WheelFile {
  readonly name: string
  readonly data: Uint8Array
  /** Stored rather than deflated. */
  readonly stored?: boolean
  /** Sizes and offset in 64 bits. */
  readonly large?: boolean
  /** Lies of the directory. */
  readonly claims?: Partial<Record<'sizeBytes' | 'compressedBytes' | 'headerOffset' | 'method' | 'flags', number>>
  /** The name in the file's own header. */
  readonly localName?: string
}

export interface WheelShape {
  readonly large?: boolean
  readonly comment?: string
  /** Lies of the archive's end. */
  readonly claims?: Partial<Record<'count' | 'start' | 'bytes' | 'disk', number>>
}

/** A zip archive, true or false in whatever a test wants. */
export function makeWheel(
  files: readonly WheelFile[],
  { large = false, comment = '', claims = {} }: WheelShape = {},
): Buffer {
  const bodies: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const file of files) {
    const data = file.stored === true ? Buffer.from(file.data) : deflateRawSync(file.data)
    const header = localHeader(file, data.length)
    directory.push(directoryEntry(file, data.length, offset))
    bodies.push(header, data)
    offset += header.length + data.length
  }
  const entries = Buffer.concat(directory)
  const { count = files.length, start = offset, bytes = entries.length, disk = 0 } = claims
  const end = fields(
    [0x06054b50, 4],
    [disk, 2],
    [0, 2],
    [large ? 0xffff : count, 2],
    [large ? 0xffff : count, 2],
    [large ? 0xffffffff : bytes, 4],
    [large ? 0xffffffff : start, 4],
    [comment.length, 2],
  )
  const end64 = fields(
    [0x06064b50, 4],
    [44, 8],
    [45, 2],
    [45, 2],
    [0, 4],
    [0, 4],
    [count, 8],
    [count, 8],
    [bytes, 8],
    [start, 8],
  )
  const locator = fields([0x07064b50, 4], [0, 4], [offset + entries.length, 8], [1, 4])
  return Buffer.concat([...bodies, entries, ...(large ? [end64, locator] : []), end, Buffer.from(comment)])
}

function localHeader(file: WheelFile, compressed: number): Buffer {
  const name = Buffer.from(file.localName ?? file.name)
  const method = file.stored === true ? 0 : 8
  const fixed = fields(
    [0x04034b50, 4],
    [20, 2],
    [0, 2],
    [method, 2],
    [0, 4],
    [0, 4],
    [compressed, 4],
    [file.data.length, 4],
    [name.length, 2],
    [3, 2],
  )
  return Buffer.concat([fixed, name, Buffer.from('ext')])
}

function directoryEntry(file: WheelFile, compressed: number, offset: number): Buffer {
  const {
    sizeBytes = file.data.length,
    compressedBytes = compressed,
    headerOffset = offset,
    method = file.stored === true ? 0 : 8,
    flags = 0,
  } = file.claims ?? {}
  const name = Buffer.from(file.name)
  const large = file.large === true
  const extra = large
    ? fields([9, 2], [1, 2], [7, 1], [1, 2], [24, 2], [sizeBytes, 8], [compressedBytes, 8], [headerOffset, 8])
    : Buffer.alloc(0)
  const short = (value: number) => (large ? 0xffffffff : value)
  const fixed = fields(
    [0x02014b50, 4],
    [20, 2],
    [20, 2],
    [flags, 2],
    [method, 2],
    [0, 4],
    [0, 4],
    [short(compressedBytes), 4],
    [short(sizeBytes), 4],
    [name.length, 2],
    [extra.length, 2],
    [0, 2],
    [0, 2],
    [0, 2],
    [0, 4],
    [short(headerOffset), 4],
  )
  return Buffer.concat([fixed, name, extra])
}

function fields(...values: readonly (readonly [value: number, bytes: number])[]): Buffer {
  return Buffer.concat(
    values.map(([value, bytes]) => {
      const field = Buffer.alloc(8)
      field.writeBigUInt64LE(BigInt(value))
      return field.subarray(0, bytes)
    }),
  )
}
