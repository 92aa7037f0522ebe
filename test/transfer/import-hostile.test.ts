import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync, deflateSync } from 'node:zlib'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf, encodeManifest, mediaTypes, Store } from '../../lib/store/index.js'
import { importModels } from '../../lib/transfer/index.js'
import { expectClean } from '../store/clean-store.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { config, layerOf, license, manifestOf, weights } from './scripted-registry.js'
import {
  blobMember,
  blobs,
  honestMembers,
  index,
  indexMember,
  manifestBytes,
  marker,
  paxMember,
  tarFile,
  weightsFile,
  type IndexedManifest,
  type TarMember,
} from './tar-members.js'

const temporary = temporaryDirectory()
let folder: string
let store: Store
let count = 0
beforeEach(() => {
  folder = join(temporary.path, `case-${(count += 1)}`)
  mkdirSync(folder)
  store = new Store({ directory: join(folder, 'store') })
})

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 70_000) yield bytes.subarray(at, at + 70_000)
}

async function expectRefused(bytes: Buffer | AsyncIterable<Buffer>, code: string, message: RegExp): Promise<void> {
  const source = Buffer.isBuffer(bytes) ? Readable.from(pieces(bytes)) : bytes
  const failure: unknown = await importModels(store, source).result.catch((error: unknown) => error)
  expect(failure).toMatchObject({ code, message: expect.stringMatching(message) as string })
  if (code !== 'ERR_DISK_FULL') expect((failure as Error).message).not.toContain(folder)
  expect((await store.list()).models).toEqual([])
  await expectClean(store)
  expect(readdirSync(folder).filter((name) => name !== 'store')).toEqual([])
  for (const name of ['ingest', 'claims'].map((name) => join(store.directory, name)))
    expect(existsSync(name) ? readdirSync(name) : []).toEqual([])
}

const withIndex = (manifests: readonly IndexedManifest[], changes?: Readonly<Record<string, unknown>>) => [
  marker,
  indexMember(manifests, changes),
  ...manifests.map(({ bytes }) => blobMember(bytes)),
  ...blobs,
]
const withManifest = (bytes: Buffer, name?: string) => withIndex([{ bytes, ...(name !== undefined && { name }) }])
const encoded = (changes: Parameters<typeof manifestOf>[0]) => Buffer.from(encodeManifest(manifestOf(changes)))
const behind = (member: TarMember) => [marker, index, member, ...honestMembers.slice(2)]
const evil = Buffer.from('evil')
const remote = Buffer.from(JSON.stringify({ remote_host: 'example', remote_model: 'm' }))

describe('S3: an archive is refused that has', () => {
  const odd = [
    ...[
      '../evil',
      '/etc/evil',
      'blobs/../../evil',
      'blobs//evil',
      './../evil',
      '..',
      'C:\\evil',
      'blobs\\..\\evil',
    ].map((name): [string, TarMember] => [`the name ${name}`, { name, content: evil }]),
    ...[
      'blobs/sha256/../../evil',
      'blobs/sha256/abc',
      `blobs/sha256/${'A'.repeat(64)}`,
      `${weightsFile}/x`,
      'evil.gguf',
    ].map((name): [string, TarMember] => [`the strange name ${name}`, { name, content: evil }]),
    ['a link', { name: 'blobs/sha256/link', type: '1', linkname: '/etc/passwd' }],
    ['a symbolic link', { name: weightsFile, type: '2', linkname: '../../../evil' }],
    ['a symbolic link for a folder', { name: 'blobs', type: '2', linkname: '/tmp' }],
    ['a character device', { name: 'blobs/sha256/dev', type: '3' }],
    ['a block device', { name: 'blobs/sha256/dev', type: '4' }],
    ['a named pipe', { name: 'blobs/sha256/pipe', type: '6' }],
    ['a sparse file of GNU', { name: weightsFile, type: 'S', content: evil }],
    ['a file of an unknown kind', { name: weightsFile, type: 'Z', content: evil }],
    ['a folder with a size', { name: 'blobs/', type: '5', size: 1024 }],
    ['a second index', index],
    ['a second marker', { ...marker, name: './oci-layout' }],
  ] satisfies [string, TarMember][]
  it.each(odd)('%s', (_, member) =>
    expectRefused(tarFile(behind(member)), 'ERR_ARCHIVE_INVALID', /^Expected an archive of models/),
  )

  it('a name in a pax header that leads out of it, or a sparse file', async () => {
    for (const values of [{ path: '../../evil' }, { 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '99' }]) {
      const members = [marker, index, paxMember(values), blobMember(evil)]
      await expectRefused(tarFile(members), 'ERR_ARCHIVE_INVALID', /leads out of it|has a sparse file/)
    }
  })

  it('a blob twice', () =>
    expectRefused(tarFile([...honestMembers, blobMember(weights)]), 'ERR_ARCHIVE_INVALID', /comes twice/))
})

describe('S8, S9: an archive is refused whose', () => {
  const size = (text: string) => Buffer.from(text.padEnd(12, '\0'), 'latin1')
  it.each([
    ['sizes are negative', size(`\xff${'\xff'.repeat(10)}\xf0`), 'ERR_ARCHIVE_INVALID'],
    ['sizes are no numbers', size('zzz'), 'ERR_ARCHIVE_INVALID'],
    ['sizes are no exact numbers', size(`\x80\0\0\0${'\x7f'.repeat(8)}`), 'ERR_ARCHIVE_INVALID'],
    ['blob has fewer bytes than its manifest says', 100, 'ERR_DIGEST'],
    ['blob has more bytes than its manifest says', weights.length + 512, 'ERR_DIGEST'],
    ['manifest wants a blob of another size', weights.length, 'ERR_ARCHIVE_INVALID'],
  ])('%s, with the index first or last', async (_, found, whenLast) => {
    const layers = [{ ...layerOf(mediaTypes.model, weights), size: 7 }, layerOf(mediaTypes.license, license)]
    const bytes = found === weights.length ? encoded({ layers }) : manifestBytes
    const members = withManifest(bytes).map((member) =>
      member.content === weights ? { ...member, size: found } : member,
    )
    await expectRefused(tarFile(members), 'ERR_ARCHIVE_INVALID', /./)
    await expectRefused(tarFile(members.toReversed()), whenLast, /./)
  })

  it('pax header gives a size that is no number', () =>
    expectRefused(tarFile([marker, paxMember({ size: 'NaN' }), blobMember(evil)]), 'ERR_ARCHIVE_INVALID', /./))

  it.each([
    ['headers', [{ ...paxMember({ comment: 'x'.repeat(5_000_000) }) }]],
    ['headers of a claimed length', [{ name: 'x', type: 'x', size: 8 ** 11 - 1 }]],
    ['headers, one behind the other,', Array.from({ length: 6 }, () => paxMember({ comment: 'x'.repeat(1_000_000) }))],
    ['long names', [{ name: 'L', type: 'L', content: Buffer.alloc(5_000_000, 'a') }]],
  ])('%s are huge', async (_, members) => {
    const before = process.memoryUsage().rss
    await expectRefused(tarFile([...members, ...honestMembers]), 'ERR_ARCHIVE_INVALID', /./)
    expect(process.memoryUsage().rss - before).toBeLessThan(128 * 2 ** 20)
  })

  it('files are too many', () => {
    const folders = Array.from({ length: 10_001 }, (_, i) => ({ name: `blobs/${i}/`, type: '5' }))
    return expectRefused(tarFile([...folders, ...honestMembers]), 'ERR_ARCHIVE_INVALID', /more than 10000 files/)
  })

  it('end never comes', async () => {
    let yielded = 0
    async function* endless() {
      yield tarFile(honestMembers)
      for (;;) yield await Promise.resolve(Buffer.alloc((yielded += 1) && 65_536))
    }
    await expectRefused(endless(), 'ERR_ARCHIVE_INVALID', /belong to no file/)
    expect(yielded).toBeLessThan(100)
  })

  it.each([
    ['blob', [marker, { name: weightsFile, size: 2 ** 50, content: evil }]],
    [
      'sum of blobs',
      withManifest(
        encoded({ layers: [layerOf(mediaTypes.model, weights), { ...layerOf('x', license), size: 2 ** 50 }] }),
      ),
    ],
  ])('%s is larger than the disk, before anything is written', async (_, members) => {
    await expectRefused(tarFile(members), 'ERR_DISK_FULL', /1125\.9 TB are needed/)
    expect(readdirSync(store.directory)).toEqual([])
  })

  it.each(['oci-layout', 'index.json'])('%s is too large', (name) =>
    expectRefused(
      tarFile([{ name, content: Buffer.alloc(4 * 2 ** 20 + 1, ' ') }]),
      'ERR_ARCHIVE_INVALID',
      /is larger than/,
    ),
  )
})

describe('S7: an archive is refused whose', () => {
  it.each([
    [
      'blob lies about its digest',
      honestMembers.map((m) => (m.name === weightsFile ? { ...m, content: Buffer.alloc(weights.length) } : m)),
    ],
    ['blob lies about its digest, before the index', [{ name: weightsFile, content: evil }, ...honestMembers]],
  ])('%s', (_, members) => expectRefused(tarFile(members), 'ERR_DIGEST', /they were discarded/))

  it('manifest lies about its digest', () => {
    const other = encoded({ layers: [] })
    const members = [
      marker,
      index,
      {
        ...blobMember(manifestBytes),
        content: Buffer.concat([other, Buffer.alloc(manifestBytes.length - other.length, ' ')]),
      },
    ]
    return expectRefused(tarFile(members), 'ERR_ARCHIVE_INVALID', /have another digest/)
  })

  it('blob or manifest is missing', async () => {
    for (const gone of [blobMember(manifestBytes), ...blobs]) {
      const rest = honestMembers.filter(({ name }) => name !== gone.name)
      for (const members of [rest, rest.toReversed()])
        await expectRefused(tarFile(members), 'ERR_ARCHIVE_INVALID', /is missing in it/)
      await store.prune({ minAgeMs: 0 })
    }
  })

  it.each(['index.json', 'oci-layout'])('%s is missing', (gone) =>
    expectRefused(tarFile(honestMembers.filter(({ name }) => name !== gone)), 'ERR_ARCHIVE_INVALID', /it has no /),
  )

  it('end is cut off, at whatever byte', async () => {
    const bytes = tarFile(honestMembers, Buffer.alloc(0))
    for (const length of [1, 511, 512, 600, 1024, 2000, 3000, bytes.length - 10_000, bytes.length - 513])
      await expectRefused(bytes.subarray(0, length), 'ERR_ARCHIVE_INVALID', /./)
  })
})

describe('S10: an archive is refused whose index or manifest', () => {
  const named = (entry: Readonly<Record<string, unknown>>) => withIndex([{ bytes: manifestBytes, entry }])
  const raw = (name: string, text: string) => [marker, { name, content: Buffer.from(text) }]
  it.each([
    ['is no JSON', raw('index.json', '{'), 'ERR_ARCHIVE_INVALID', /is not JSON/],
    ['is no object', raw('index.json', '[]'), 'ERR_ARCHIVE_INVALID', /is not an object/],
    ['has a key twice', raw('index.json', '{"manifests":[],"manifests":[]}'), 'ERR_ARCHIVE_INVALID', /stands twice/],
    ['is of another version', withIndex([], { schemaVersion: 1 }), 'ERR_ARCHIVE_INVALID', /no index/],
    ['is empty', withIndex([]), 'ERR_ARCHIVE_INVALID', /holds no model/],
    [
      'names too many models',
      withIndex([], { manifests: Array(1025).fill({}) }),
      'ERR_ARCHIVE_INVALID',
      /more than 1024/,
    ],
    ['gives no name', named({ annotations: {} }), 'ERR_ARCHIVE_INVALID', /no name/],
    [
      'gives a name twice',
      withIndex([{ bytes: manifestBytes }, { bytes: manifestBytes, name: 'NS/M:1' }]),
      'ERR_ARCHIVE_INVALID',
      /the name NS\/M:1 stands twice/,
    ],
    ['gives no digest', named({ digest: 'sha256:../../evil' }), 'ERR_DIGEST', /Expected a digest/],
    ['gives a size that is none', named({ size: -1 }), 'ERR_ARCHIVE_INVALID', /size of the manifest/],
    ['gives a size that is too large', named({ size: 2 ** 40 }), 'ERR_ARCHIVE_INVALID', /size of the manifest/],
    ['gives a size that is another', named({ size: 99 }), 'ERR_ARCHIVE_INVALID', /bytes instead of/],
    ['gives another kind', named({ mediaType: mediaTypes.ociManifest }), 'ERR_ARCHIVE_INVALID', /another mediaType/],
    [
      'is of several platforms',
      named({ mediaType: 'application/vnd.oci.image.index.v1+json' }),
      'ERR_UNSUPPORTED',
      /platforms/,
    ],
    ['is not a manifest', withManifest(Buffer.from('{"schemaVersion":2}')), 'ERR_MANIFEST_INVALID', /./],
    [
      'has a malformed digest',
      withManifest(Buffer.from(manifestBytes.toString().replace(digestOf(config), 'sha256:../x'))),
      'ERR_DIGEST',
      /./,
    ],
    [
      'names no model',
      withManifest(encoded({ layers: [layerOf(mediaTypes.license, license)] })),
      'ERR_UNSUPPORTED',
      /GGUF model/,
    ],
    [
      'is of another imageLayoutVersion',
      raw('oci-layout', '{"imageLayoutVersion":"2.0.0"}').slice(1),
      'ERR_ARCHIVE_INVALID',
      /version/,
    ],
  ])('%s', (_, members, code, message) => expectRefused(tarFile(members), code, message))

  it.each(['../../evil', 'a/../../b', '.x', 'a\\b', 'a\0b', '/x', 'a/b/c/d:e', 'x'.repeat(81), 'a b', ''])(
    'S2: gives the name %j, which is none',
    (name) => expectRefused(tarFile(withManifest(manifestBytes, name)), 'ERR_NAME_INVALID', /^Expected a model name/),
  )

  it('S15: sends requests to another machine', () => {
    const members = [...withManifest(encoded({ config: layerOf(mediaTypes.config, remote) })), blobMember(remote)]
    return expectRefused(tarFile(members), 'ERR_UNSUPPORTED', /another machine/)
  })
})

describe('what is no archive is told apart:', () => {
  const bytes = tarFile(honestMembers)
  it.each([
    ['nothing', Buffer.alloc(0), /it is empty/],
    ['zeros', Buffer.alloc(10_240), /it is empty/],
    ['gzip', gzipSync(bytes), /gunzip -c FILE \| llamero load/],
    ['a bomb in gzip', gzipSync(Buffer.alloc(50_000_000)), /is compressed/],
    ['zstd', Buffer.from('28b52ffd00000000', 'hex'), /zstd -dc FILE/],
    ['xz', Buffer.from('fd377a585a000000', 'hex'), /xz -dc FILE/],
    ['bzip2', Buffer.from('BZh91AY'), /bzip2 -dc FILE/],
    ['a zip file', Buffer.from('504b030400', 'hex'), /a zip file/],
    ['a GGUF file', weights, /llamero pull \.\/FILE\.gguf/],
    ['other bytes', deflateSync(bytes), /no tar file/],
    ['a text', Buffer.from('hello\n'.repeat(1000)), /no tar file/],
  ])('%s', (_, source, message) => expectRefused(source, 'ERR_ARCHIVE_INVALID', message))
})
