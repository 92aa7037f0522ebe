import { digestHex, digestOf, encodeManifest, mediaTypes } from '../../lib/store/index.js'
import { config, license, manifestOf, weights } from './scripted-registry.js'

/** One header of a tar file with what follows it, as honest or not as a test wants. */
export interface TarMember {
  readonly name: string
  readonly content?: Buffer
  /** The letter of its kind. @default '0', a regular file */
  readonly type?: string
  /** What the header says. @default the length of the content */
  readonly size?: number | Buffer
  readonly linkname?: string
}

export function tarFile(members: readonly TarMember[], end = Buffer.alloc(1024)): Buffer {
  return Buffer.concat([
    ...members.flatMap(({ content = Buffer.alloc(0), ...member }) => {
      const padding = Buffer.alloc((512 - (content.length % 512)) % 512)
      return [header({ ...member, size: member.size ?? content.length }), content, padding]
    }),
    end,
  ])
}

function header({ name, type = '0', size = 0, linkname = '' }: TarMember): Buffer {
  const block = Buffer.alloc(512)
  block.write(name, 0, 100)
  block.write('0000644\0', 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  if (Buffer.isBuffer(size)) size.copy(block, 124)
  else if (size < 8 ** 11) block.write(`${size.toString(8).padStart(11, '0')} `, 124)
  else {
    block[124] = 0x80
    block.writeBigUInt64BE(BigInt(size), 128)
  }
  block.write('00000000000 ', 136)
  block.fill(' ', 148, 156)
  block.write(type, 156, 'latin1')
  block.write(linkname, 157, 100)
  block.write('ustar\u000000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** A header of the pax format that holds for the next file. */
export function paxMember(values: Readonly<Record<string, string>>): TarMember {
  const records = Object.entries(values).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`
    const digits = String(rest.length + 2).length
    return `${rest.length + digits}${rest}`
  })
  return { name: 'PaxHeader', type: 'x', content: Buffer.from(records.join('')) }
}

export const blobMember = (content: Buffer, digest: string = digestOf(content)): TarMember => ({
  name: `blobs/sha256/${digest.slice(7)}`,
  content,
})

export interface IndexedManifest {
  readonly bytes: Buffer
  readonly name?: string
  /** Replaces fields of the entry. */
  readonly entry?: Readonly<Record<string, unknown>>
}

export function indexMember(manifests: readonly IndexedManifest[], changes: Readonly<Record<string, unknown>> = {}) {
  const entries = manifests.map(({ bytes, name = 'ns/m:1', entry }) => ({
    mediaType: mediaTypes.manifest,
    digest: digestOf(bytes),
    size: bytes.length,
    annotations: { 'org.opencontainers.image.ref.name': name },
    ...entry,
  }))
  const document = { schemaVersion: 2, manifests: entries, ...changes }
  return { name: 'index.json', content: Buffer.from(JSON.stringify(document)) } satisfies TarMember
}

export const marker: TarMember = { name: 'oci-layout', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') }
export const manifestBytes = Buffer.from(encodeManifest(manifestOf()))
export const index = indexMember([{ bytes: manifestBytes }])
export const blobs: readonly TarMember[] = [weights, license, config].map((content) => blobMember(content))
/** The archive of `ns/m:1`, in the order in which `llamero save` writes. */
export const honestMembers: readonly TarMember[] = [marker, index, blobMember(manifestBytes), ...blobs]
export const weightsFile = `blobs/sha256/${digestHex(digestOf(weights))}`
