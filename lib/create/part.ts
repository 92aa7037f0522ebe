import { LlameroError } from '../errors.js'
import { adapterBase, checkLora, readGgufModel, validateModel, type GgufFile } from '../gguf/index.js'
import { mediaTypes } from '../store/index.js'

/** What a GGUF file is to a model. */
export type PartKind = 'model' | 'adapter' | 'projector'

/** A GGUF file on disk, or the first of those of a split model; its header is read and judged. */
export interface Part {
  readonly kind: PartKind
  readonly path: string
  /** The file or folder that it was made of. */
  readonly source: string
  readonly header: GgufFile
}

/** Media type of the layer that a part becomes. */
export const partMediaTypes: Readonly<Record<PartKind, string>> = {
  model: mediaTypes.model,
  adapter: mediaTypes.adapter,
  projector: mediaTypes.projector,
}

/**
 * Reads the header of a GGUF file and tells what it is. Adapters are judged later, against their model.
 * Errors: `ERR_MODEL_INVALID`, `ERR_UNSUPPORTED`, `ERR_MODEL_NOT_FOUND`.
 */
export async function readPart(path: string, signal?: AbortSignal, source = path): Promise<Part> {
  const header = await readGgufModel(path, { signal })
  const kind = kindOf(header)
  if (kind === 'model') validateModel(header)
  return { kind, path, source, header }
}

function kindOf({ metadata }: GgufFile): PartKind {
  const text = (key: string) => {
    const value = metadata.get(key)
    return value?.type === 'string' ? value.value : ''
  }
  if (text('general.type') === 'adapter') return 'adapter'
  if (text('general.type') === 'mmproj' || text('general.architecture') === 'clip') return 'projector'
  return 'model'
}

/** Throws `ERR_MODEL_REJECTED`, or what {@link checkLora} throws, unless the adapter fits the model. */
export function requireFit(adapter: Part, model: GgufFile): void {
  if (adapter.kind !== 'adapter') {
    throw new LlameroError(
      'ERR_MODEL_INVALID',
      `Expected ADAPTER to name a LoRA adapter, but ${JSON.stringify(adapter.source)} is a ${adapter.kind}. Name it with FROM.`,
      { details: { path: adapter.source } },
    )
  }
  checkLora(adapter.header, adapterBase(model))
}
