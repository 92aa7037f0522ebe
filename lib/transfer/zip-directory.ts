import type { RandomAccess } from './random-access.js'
import { transferFailure } from './transfer-failure.js'

/** A file inside a zip archive, as the archive's directory lists it. Its name is compared and shown, never made a path. */
export interface ZipMember {
  readonly name: string
  readonly method: 'stored' | 'deflated'
  readonly compressedBytes: number
  readonly sizeBytes: number
  readonly headerOffset: number
}

/** How far from the end the directory's own end can begin, and some room for the directory itself. */
export const zipTailBytes = 128 * 1024

const limits = { members: 65_536, directoryBytes: 32 * 1024 * 1024 } as const
const signatures = {
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  member: 0x02014b50,
  header: 0x04034b50,
} as const
const endBytes = 22

/**
 * Lists an archive by its directory, which stands at the end (APPNOTE.TXT 4.3). Archives in several files and encrypted
 * members are refused; folders are left out. Errors: `ERR_REGISTRY`.
 */
export async function readZipDirectory(archive: RandomAccess): Promise<ZipMember[]> {
  const { start, bytes, count } = await findDirectory(archive)
  if (count > limits.members) throw damaged(`it has more than ${limits.members} members`)
  if (bytes > limits.directoryBytes) throw damaged('its directory is too large')
  const directory = await archive.read(start, bytes)
  const members: ZipMember[] = []
  let at = 0
  for (let index = 0; index < count; index += 1) {
    const { member, next } = readMember(directory, at, start)
    if (!member.name.endsWith('/')) members.push(member)
    at = next
  }
  return members
}

/** Where the bytes of a member begin: behind a header of its own, which must tell the same name. */
export async function memberDataStart(archive: RandomAccess, member: ZipMember): Promise<number> {
  const name = Buffer.from(member.name)
  const header = await archive.read(member.headerOffset, 30 + name.length)
  if (header.readUInt32LE(0) !== signatures.header) throw damaged('a member has no header')
  const isSame = header.readUInt16LE(26) === name.length && header.subarray(30).equals(name)
  if (!isSame) throw damaged('a member has two names')
  const start = member.headerOffset + 30 + name.length + header.readUInt16LE(28)
  if (start + member.compressedBytes > archive.sizeBytes) throw damaged('a member does not fit into it')
  return start
}

async function findDirectory(archive: RandomAccess): Promise<{ start: number; bytes: number; count: number }> {
  const tailStart = Math.max(0, archive.sizeBytes - endBytes - 0xffff)
  const tail = await archive.read(tailStart, archive.sizeBytes - tailStart)
  const at = findEnd(tail)
  if (at === undefined) throw damaged('it is no zip archive')
  if (tail.readUInt16LE(at + 4) !== 0 || tail.readUInt16LE(at + 6) !== 0)
    throw damaged('it is split over several files')
  const place = {
    count: tail.readUInt16LE(at + 10),
    bytes: tail.readUInt32LE(at + 12),
    start: tail.readUInt32LE(at + 16),
  }
  const isLarge = place.count === 0xffff || place.bytes === 0xffffffff || place.start === 0xffffffff
  const found = isLarge ? await findLargeDirectory(archive, tailStart + at) : place
  if (found.start + found.bytes > tailStart + at) throw damaged('its directory does not fit into it')
  return found
}

// The end is the last signature whose comment reaches exactly to the end of the file.
function findEnd(tail: Buffer): number | undefined {
  for (let at = tail.length - endBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) === signatures.end && at + endBytes + tail.readUInt16LE(at + 20) === tail.length)
      return at
  }
  return undefined
}

async function findLargeDirectory(
  archive: RandomAccess,
  end: number,
): Promise<{ start: number; bytes: number; count: number }> {
  const locator = await archive.read(end - 20, 20)
  if (locator.readUInt32LE(0) !== signatures.locator64) throw damaged('its directory cannot be found')
  const record = await archive.read(safeNumber(locator, 8), 56)
  if (record.readUInt32LE(0) !== signatures.end64) throw damaged('its directory cannot be found')
  return { count: safeNumber(record, 32), bytes: safeNumber(record, 40), start: safeNumber(record, 48) }
}

function readMember(directory: Buffer, at: number, directoryStart: number): { member: ZipMember; next: number } {
  if (at + 46 > directory.length || directory.readUInt32LE(at) !== signatures.member)
    throw damaged('its directory is cut off')
  const nameEnd = at + 46 + directory.readUInt16LE(at + 28)
  const extraEnd = nameEnd + directory.readUInt16LE(at + 30)
  const next = extraEnd + directory.readUInt16LE(at + 32)
  if (next > directory.length) throw damaged('its directory is cut off')
  if ((directory.readUInt16LE(at + 8) & 1) !== 0) throw damaged('a member is encrypted')
  const name = directory.subarray(at + 46, nameEnd).toString('utf8')
  const sizes = readSizes(directory, at, directory.subarray(nameEnd, extraEnd))
  if (sizes.headerOffset + 30 + sizes.compressedBytes > directoryStart) throw damaged('a member does not fit into it')
  const method = readMethod(directory.readUInt16LE(at + 10))
  if (method === 'stored' && sizes.sizeBytes !== sizes.compressedBytes) throw damaged('a stored member has two sizes')
  return { member: { name, method, ...sizes }, next }
}

function readMethod(code: number): ZipMember['method'] {
  if (code === 0) return 'stored'
  if (code === 8) return 'deflated'
  throw damaged(`a member is compressed in a way (${code}) that wheels do not use`)
}

// Values that do not fit stand in an extra field (tag 1), in this order, and only those that do not fit.
function readSizes(
  directory: Buffer,
  at: number,
  extra: Buffer,
): Pick<ZipMember, 'sizeBytes' | 'compressedBytes' | 'headerOffset'> {
  const large = largeField(extra)
  let taken = 0
  const value = (short: number) => {
    if (short !== 0xffffffff) return short
    if (large === undefined || taken + 8 > large.length) throw damaged('a large member has no size')
    taken += 8
    return safeNumber(large, taken - 8)
  }
  const sizeBytes = value(directory.readUInt32LE(at + 24))
  const compressedBytes = value(directory.readUInt32LE(at + 20))
  const headerOffset = value(directory.readUInt32LE(at + 42))
  return { sizeBytes, compressedBytes, headerOffset }
}

function largeField(extra: Buffer): Buffer | undefined {
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2)
    if (end > extra.length) throw damaged('an extra field is cut off')
    if (extra.readUInt16LE(at) === 1) return extra.subarray(at + 4, end)
    at = end
  }
  return undefined
}

function safeNumber(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged('it states sizes that no file has')
  return Number(value)
}

function damaged(reason: string): Error {
  return transferFailure('protocol', `The package cannot be read as a wheel: ${reason}.`)
}
