import { relative, sep } from 'node:path'
import { LlameroError } from '../errors.js'
import { parseDigest, type Digest } from './digest.js'
import { onDisk } from './disk.js'
import { manifestsDirectory } from './layout.js'
import { readManifestFile, listedModel, type ManifestFile, type StoreWarning } from './manifest-file.js'
import { readIndex } from './model-index.js'
import { displayName, type ModelName } from './name.js'

/** What the manifests of a store name. */
export interface References {
  /** Of damaged manifests those that can still be made out in them. */
  readonly digests: ReadonlySet<Digest>
  /** One for each manifest that is damaged or cannot be read, and each link that leads nowhere. */
  readonly warnings: readonly StoreWarning[]
  /** Whether the bytes of every manifest were seen, so that a blob without a reference has none. */
  readonly isComplete: boolean
}

/** Reads all manifests; those that vanish meanwhile count as gone. */
export async function readReferences(directory: string): Promise<References> {
  const digests = new Set<Digest>()
  const warnings: StoreWarning[] = []
  const { names, unreachable } = await onDisk({ doing: 'list the models', directory }, () => readIndex(directory))
  let isComplete = unreachable.length === 0
  for (const path of unreachable) warnings.push(unreachableWarning(directory, path))
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

function unreachableWarning(directory: string, path: string): StoreWarning {
  const [host = '', namespace = '', model = '', tag = ''] = relative(manifestsDirectory(directory), path).split(sep)
  const message = `The link ${path} leads to nothing that can be read now, perhaps to a disk that is not there.`
  return { name: { scheme: 'https', host, namespace, model, tag }, displayName: path, message }
}

function warning(name: ModelName, { message }: LlameroError): StoreWarning {
  return { name, displayName: displayName(name), message }
}
