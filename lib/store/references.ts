import { LlameroError } from '../errors.js'
import { parseDigest, type Digest } from './digest.js'
import { onDisk } from './disk.js'
import { readManifestFile, listedModel, type ManifestFile, type StoreWarning } from './manifest-file.js'
import { storedNames } from './model-index.js'
import { displayName, type ModelName } from './name.js'

/** What the manifests of a store name. */
export interface References {
  /** Of damaged manifests those that can still be made out in them. */
  readonly digests: ReadonlySet<Digest>
  /** One for each manifest that is damaged or cannot be read. */
  readonly warnings: readonly StoreWarning[]
  /** Whether the bytes of every manifest were seen, so that a blob without a reference has none. */
  readonly isComplete: boolean
}

/** Reads all manifests; those that vanish meanwhile count as gone. */
export async function readReferences(directory: string): Promise<References> {
  const digests = new Set<Digest>()
  const warnings: StoreWarning[] = []
  let isComplete = true
  const names = await onDisk({ doing: 'list the models', directory }, () => storedNames(directory))
  for (const name of names) {
    try {
      const file = await readManifestFile(directory, name)
      for (const digest of mentionedDigests(file)) digests.add(digest)
      const fault = faultOf(file)
      if (fault !== undefined) warnings.push(warning(name, fault))
    } catch (error) {
      if (!(error instanceof LlameroError)) throw error
      if (error.code === 'ERR_MODEL_NOT_FOUND') continue
      isComplete = false
      warnings.push(warning(name, error))
    }
  }
  return { digests, warnings, isComplete }
}

/**
 * Every digest that stands in a manifest, whether it can be parsed or not: a half one still keeps what it mentions, and
 * so does one that another program understands and this one does not.
 */
export function mentionedDigests({ bytes }: Pick<ManifestFile, 'bytes'>): ReadonlySet<Digest> {
  const text = Buffer.from(bytes).toString('latin1')
  return new Set(Array.from(text.matchAll(/sha256[:-][0-9a-fA-F]{64}/g), ([digest]) => parseDigest(digest)))
}

function faultOf(file: ManifestFile): LlameroError | undefined {
  try {
    listedModel(file)
    return undefined
  } catch (error) {
    if (error instanceof LlameroError) return error
    throw error
  }
}

function warning(name: ModelName, { message }: LlameroError): StoreWarning {
  return { name, displayName: displayName(name), message }
}
