import { open } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import type { Blobs } from './blobs.js'
import { digestOf } from './digest.js'
import { onDisk, readWithoutWaiting } from './disk.js'
import type { Layer } from './manifest.js'
import { damagedModel } from './model-fault.js'

/** Texts and documents beyond this size are no templates, licenses or settings that anybody wrote. */
const mostBytes = 4 * 1024 * 1024

/** The text of a layer that is small and is shown or parsed; bytes that are not those of its digest are refused. */
export async function readText(directory: string, blobs: Blobs, layer: Layer, model: string): Promise<string> {
  const { digest, size } = layer
  if (size > mostBytes) {
    throw new LlameroError(
      'ERR_MANIFEST_INVALID',
      `A text of the model ${model} has ${size} bytes; ${mostBytes} are the most that is read.`,
      { details: { model, digest } },
    )
  }
  const bytes = (await blobs.sizeBytes(digest)) === size ? await readAll(directory, blobs.path(digest)) : undefined
  if (bytes !== undefined && digestOf(bytes) === digest) return new TextDecoder().decode(bytes)
  throw damagedModel(model, digest, 'is missing or has other content')
}

/** Throws `ERR_STORE` unless the blob of a layer is there in full size. */
export async function requireWhole(blobs: Blobs, { digest, size }: Layer, model: string): Promise<void> {
  if ((await blobs.sizeBytes(digest)) !== size) throw damagedModel(model, digest)
}

/** As {@link readText}, for a JSON document. Errors: also `ERR_MANIFEST_INVALID`. */
export async function readDocument(
  directory: string,
  blobs: Blobs,
  layer: Layer,
  { model, what }: { readonly model: string; readonly what: string },
): Promise<unknown> {
  const text = await readText(directory, blobs, layer, model)
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw badDocument(model, what, 'is not JSON', cause)
  }
}

/** The error for a document of a model that does not say what it should. */
export function badDocument(model: string, what: string, reason: string, cause?: unknown): LlameroError {
  return new LlameroError(
    'ERR_MANIFEST_INVALID',
    `The ${what} of the model ${model} ${reason}. Pull the model again, or ask its maker.`,
    { cause, details: { model } },
  )
}

function readAll(directory: string, path: string): Promise<Buffer> {
  return onDisk({ doing: 'read a blob', directory }, async () => {
    const file = await open(path, readWithoutWaiting)
    try {
      return await file.readFile()
    } finally {
      await file.close()
    }
  })
}
