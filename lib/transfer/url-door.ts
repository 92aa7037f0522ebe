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
import { fetchParts, pullBlob, type BlobSource } from './blob-download.js'
import { underBlobLock } from './blob-lock.js'
import { requestRange } from './byte-range.js'
import { httpSettings, requireEncryption } from './http-settings.js'
import { sourceAnnotation, sourceDigestAnnotation } from './package-door.js'
import { tellingRemoval, type PullContext } from './pull-context.js'
import { retrying } from './retry.js'
import { splitFile, splitModel, splitNames } from './split-file.js'
import { transferFailure } from './transfer-failure.js'
import { fileNameOf, type UrlReference } from './url-reference.js'

const advice = {
  credentials: 'Addresses that ask for credentials are not supported: download the file and give its path.',
  certificates: 'Name the file of your certificate authority in SSL_CERT_FILE.',
} as const

/** A file as its server describes it. */
interface RemoteFile {
  readonly sizeBytes: number
  /** As in {@link BlobSource}; a file without one is never gone on with later. */
  readonly validator: string | undefined
}

/**
 * Pulls the GGUF file at an address. With a pinned digest it must have that; without, it is what the server sends.
 * Errors: `ERR_MODEL_NOT_FOUND`, `ERR_REGISTRY`, `ERR_UNSUPPORTED`, `ERR_DIGEST`, `ERR_MODEL_INVALID`.
 */
export async function pullFromUrl(
  context: PullContext,
  { url, digest }: UrlReference,
  name: ModelName,
): Promise<StoredModel> {
  const { store, report, signal, variables = {}, insecure = false, retry } = context
  requireEncryption(url, insecure)
  const split = splitFile(fileNameOf(url))
  if (split !== undefined) throw splitModel('The model at this address', splitNames(split))
  report({ status: 'pulling manifest' })
  const source: BlobSource = { url, settings: await httpSettings(variables, advice), retry }
  const create = async (model: Digest, size: number, fingerprint?: Digest) => {
    report({ status: 'writing manifest' })
    return store.createModel(name, {
      layers: [{ mediaType: mediaTypes.model, digest: model, size }],
      // The query may be what grants access: it is not kept.
      annotations: {
        [sourceAnnotation]: `${url.origin}${url.pathname}`,
        ...(fingerprint && { [sourceDigestAnnotation]: fingerprint }),
      },
      signal,
      ...tellingRemoval(context),
    })
  }
  if (digest !== undefined) {
    const size = await pullPinned(context, source, digest)
    return create(digest, size)
  }
  const file = await describe(context, source)
  const fingerprint = digestOf(JSON.stringify([url.origin, url.pathname, file.validator, file.sizeBytes]))
  const known = await store.find(name)
  const isSame = file.validator !== undefined && known?.annotations[sourceDigestAnnotation] === fingerprint
  if (isSame && (await store.blobs.verify(known.modelDigest, { signal }))) return known
  const model = await pullUnpinned(context, { ...source, validator: file.validator }, fingerprint, file)
  return create(model, file.sizeBytes, fingerprint)
}

/** Gives the size of the file. */
async function pullPinned(context: PullContext, source: BlobSource, digest: Digest): Promise<number> {
  const { store, report, signal } = context
  // What is known by its digest need not be asked for.
  if (!(await store.blobs.claim(digest, { signal }))) {
    const { sizeBytes: size } = await describe(context, source)
    await pullBlob(context, source, { digest, size })
  }
  report({ status: 'verifying sha256 digest' })
  await checkModel(store.blobs.path(digest), signal)
  return (await store.blobs.sizeBytes(digest)) ?? 0
}

/** Gives the digest of the file. */
function pullUnpinned(
  context: PullContext,
  source: BlobSource,
  fingerprint: Digest,
  { sizeBytes, validator }: RemoteFile,
): Promise<Digest> {
  const { store, report, signal } = context
  return underBlobLock(context, fingerprint, async () => {
    if (validator === undefined) await store.partials.removeAll(fingerprint)
    report({ status: `pulling ${shortDigest(fingerprint)}`, digest: fingerprint, total: sizeBytes })
    const bytes = await fetchParts(context, source, { digest: fingerprint, size: sizeBytes })
    report({ status: 'verifying sha256 digest' })
    try {
      const { digest } = await store.blobs.ingest(bytes, {
        sizeBytes,
        signal,
        check: (path) => checkModel(path, signal),
      })
      await store.partials.removeAll(fingerprint)
      return digest
    } catch (error) {
      if (error instanceof LlameroError && error.code === 'ERR_MODEL_INVALID')
        await store.partials.removeAll(fingerprint)
      throw error
    }
  })
}

async function describe({ signal }: PullContext, { url, settings, retry }: BlobSource): Promise<RemoteFile> {
  const wanted = { start: 0, end: ggufMagic.length - 1 }
  const answer = await retrying(() => requestRange(url, wanted, { settings, signal, idleMs: retry?.idleMs }), {
    retry,
    signal,
  }).catch((error: unknown) => {
    throw isNotFound(error) ? notFound(url) : error
  })
  if (answer?.totalBytes === undefined) {
    answer?.discard()
    throw transferFailure('protocol', 'The server does not say how long the file is.')
  }
  const { totalBytes: sizeBytes, validator } = answer
  let begin = Buffer.alloc(0)
  for await (const chunk of answer.body) {
    begin = Buffer.concat([begin, chunk])
    if (begin.length >= ggufMagic.length) break
  }
  if (begin.toString('latin1', 0, ggufMagic.length) === ggufMagic) return { sizeBytes, validator }
  throw new LlameroError(
    'ERR_MODEL_INVALID',
    'Expected a GGUF file at this address, but the server sent something else, perhaps a page. Give the address of the file itself.',
  )
}

const ggufMagic = 'GGUF'

function isNotFound(error: unknown): boolean {
  return error instanceof LlameroError && [404, 410].includes(Number(error.details.httpStatus))
}

function notFound({ host, pathname }: URL): LlameroError {
  return new LlameroError('ERR_MODEL_NOT_FOUND', `${host} has no file ${pathname.slice(0, 200)}. Check the address.`)
}
