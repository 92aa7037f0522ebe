import { LlameroError } from '../errors.js'
import type { Blobs } from './blobs.js'
import type { Digest } from './digest.js'
import { listedModel, readManifestFile, type ListedModel, type StoreWarning } from './manifest-file.js'
import type { ModelName } from './name.js'

/** What {@link Store.verify} looks at. */
export interface VerifyOptions {
  /** The models to verify. @default all */
  readonly models?: readonly (ModelName | string)[] | undefined
  /** Stops the hashing; rejects with its reason. */
  readonly signal?: AbortSignal | undefined
  /** Called as bytes are hashed. @default none */
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined
}

/** How far a verification has come. */
export interface VerifyProgress {
  /** The blob that is being hashed. */
  readonly digest: Digest
  /** Bytes of all blobs that are done with. */
  readonly completedBytes: number
  readonly totalBytes: number
}

/**
 * What is wrong with a blob. `missing`: it is not there. `torn`: it has another size than its manifest says. `wrong`:
 * its bytes are not those of its digest. `unreadable`: the disk or its permissions do not give it out.
 */
export type BlobFault = 'missing' | 'torn' | 'wrong' | 'unreadable'

/** A blob that does not hold what its models need. */
export interface DamagedBlob {
  readonly fault: BlobFault
  readonly digest: Digest
  /** The models that need it, by the shortest text that means them. */
  readonly models: readonly string[]
  /** What is wrong, for people. */
  readonly message: string
}

/** What {@link Store.verify} found. */
export interface VerifyReport {
  /** Whether nothing is wrong. */
  readonly isClean: boolean
  readonly models: number
  /** Blobs that were looked at; those that models share count once. */
  readonly blobs: number
  /** Bytes that were hashed. */
  readonly hashedBytes: number
  readonly damagedBlobs: readonly DamagedBlob[]
  /** Manifests that are damaged. */
  readonly warnings: readonly StoreWarning[]
}

interface NeededBlob {
  readonly digest: Digest
  readonly sizes: Set<number>
  readonly models: ListedModel[]
}

/** Hashes every blob of some models once; see {@link Store.verify}. */
export async function verifyModels(
  { directory, blobs }: { readonly directory: string; readonly blobs: Blobs },
  models: readonly ListedModel[],
  { signal, onProgress }: VerifyOptions,
): Promise<Omit<VerifyReport, 'isClean' | 'warnings'>> {
  const needed = neededBlobs(models)
  const totalBytes = needed.reduce((sum, { sizes }) => sum + Math.max(...sizes), 0)
  const damagedBlobs: DamagedBlob[] = []
  let completedBytes = 0
  let hashedBytes = 0
  for (const { digest, sizes, models: owners } of needed) {
    signal?.throwIfAborted()
    const report = (bytes: number) => onProgress?.({ digest, completedBytes: completedBytes + bytes, totalBytes })
    report(0)
    let hashed = 0
    const fault = await faultOf(blobs, digest, sizes, {
      signal,
      onProgress: (bytes) => {
        hashed = bytes
        report(bytes)
      },
    })
    hashedBytes += hashed
    completedBytes += Math.max(...sizes)
    if (fault === undefined) continue
    const still = await stillThere(directory, owners)
    if (still.length > 0)
      damagedBlobs.push({ ...fault, digest, models: still, message: `The blob ${digest} ${fault.message}` })
  }
  return { models: models.length, blobs: needed.length, hashedBytes, damagedBlobs }
}

function neededBlobs(models: readonly ListedModel[]): NeededBlob[] {
  const needed = new Map<Digest, NeededBlob>()
  for (const model of models) {
    for (const { digest, size } of [model.config, ...model.layers]) {
      const blob = needed.get(digest) ?? { digest, sizes: new Set(), models: [] }
      blob.sizes.add(size)
      if (blob.models.at(-1) !== model) blob.models.push(model)
      needed.set(digest, blob)
    }
  }
  return [...needed.values()]
}

async function faultOf(
  blobs: Blobs,
  digest: Digest,
  sizes: ReadonlySet<number>,
  options: Parameters<Blobs['verify']>[1],
): Promise<{ readonly fault: BlobFault; readonly message: string } | undefined> {
  try {
    const size = await blobs.sizeBytes(digest)
    if (size === undefined) return { fault: 'missing', message: 'is missing.' }
    const other = [...sizes].find((expected) => expected !== size)
    if (other !== undefined) return { fault: 'torn', message: `has ${size} bytes instead of ${other}.` }
    if (await blobs.verify(digest, options)) return undefined
    return { fault: 'wrong', message: 'has other content than its name says.' }
  } catch (error) {
    if (!(error instanceof LlameroError) || error.code !== 'ERR_STORE') throw error
    return { fault: 'unreadable', message: `cannot be read. ${error.message}` }
  }
}

// A model that was removed or replaced while its blobs were being hashed is no problem.
async function stillThere(directory: string, models: readonly ListedModel[]): Promise<string[]> {
  const names: string[] = []
  for (const { name, displayName, manifestDigest } of models) {
    try {
      if (listedModel(await readManifestFile(directory, name)).manifestDigest === manifestDigest)
        names.push(displayName)
    } catch (error) {
      if (!(error instanceof LlameroError)) throw error
    }
  }
  return names
}
