import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LlameroError } from '../errors.js'
import { invalidModel, quoted } from './fault.js'
import { readGguf, type GgufFile, type GgufPart, type ReadGgufOptions } from './gguf-file.js'
import { limits } from './limits.js'

/** As llama.cpp writes and expects it: `model-00001-of-00003.gguf`. */
const partName = /-(\d{5})-of-(\d{5})\.gguf$/

/**
 * Reads the header of a model, and of all its parts if it is split: the metadata of the first, the tensors of all. The
 * parts lie beside the first and are named as llama.cpp names them, `model-00001-of-00003.gguf`.
 *
 * @param source a path, or the address of a file, as in {@link readGguf}; of a split model the first part
 * @throws LlameroError as {@link readGguf}; the message names the part. `ERR_MODEL_NOT_FOUND` if one is missing,
 * `ERR_MODEL_INVALID` if `source` is not the first or the parts do not belong together
 */
export async function readGgufModel(source: string | URL, options: ReadGgufOptions = {}): Promise<GgufFile> {
  const first = await readGguf(source, options)
  const count = splitCount(first)
  if (count === 1) return first
  const nameOf = partNames(source, count)
  const number = partNumber(first, count)
  if (number !== 0) {
    throw invalidModel(`it is part ${number + 1} of ${count}; name the first, ${quoted(nameOf(0))}.`, {
      part: number + 1,
    })
  }
  if (fileName(source) !== nameOf(0)) {
    throw invalidModel(`it is the first of ${count} parts, so its name must end in '-00001-of-${digits(count)}.gguf'.`)
  }
  const parts: GgufPart[] = [partOf(first, source)]
  const names = new Set(first.tensors.map(({ name }) => name))
  for (let index = 1; index < count; index++) {
    const location = beside(source, nameOf(index))
    const file = await readPart(location, options, `part ${index + 1} of ${count}, ${quoted(nameOf(index))}`)
    if (partNumber(file, count) !== index || file.littleEndian !== first.littleEndian) {
      throw invalidModel(`${quoted(nameOf(index))} is not its part ${index + 1}; fetch all parts again.`)
    }
    for (const { name } of file.tensors) {
      if (names.has(name)) {
        throw invalidModel(`the tensor ${quoted(name)} appears twice, again in ${quoted(nameOf(index))}.`, {
          tensor: name,
        })
      }
      names.add(name)
    }
    if (names.size > limits.tensors) {
      throw invalidModel(`its parts have more than ${limits.tensors} tensors, the most that is read.`)
    }
    parts.push(partOf(file, location))
  }
  checkTensorCount(first, names.size)
  return {
    ...first,
    tensors: parts.flatMap(({ tensors }) => tensors),
    sizeBytes: parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    parts,
  }
}

/** Files that a model lies in, as its header says. */
export function splitCount(file: GgufFile): number {
  const key = 'split.count'
  const found = file.metadata.get(key)
  if (found === undefined) return 1
  if (found.type !== 'uint16')
    throw invalidModel(`${quoted(key)} is of type ${found.type}; a uint16 was expected.`, { key })
  return Math.max(found.value, 1)
}

function partNumber(file: GgufFile, count: number): number {
  const key = 'split.no'
  const found = file.metadata.get(key)
  if (found?.type === 'uint16' && found.value < count) return found.value
  throw invalidModel(`${quoted(key)} must be a uint16 below ${count}, the number of its parts.`, { key })
}

function checkTensorCount(first: GgufFile, found: number): void {
  const key = 'split.tensors.count'
  const claimed = first.metadata.get(key)
  if (claimed?.type === 'int32' && claimed.value === found) return
  const shown = claimed?.type === 'int32' ? String(claimed.value) : 'no int32'
  throw invalidModel(`${quoted(key)} is ${shown}, but its parts have ${found} tensors; fetch all parts again.`, { key })
}

async function readPart(location: string | URL, options: ReadGgufOptions, what: string): Promise<GgufFile> {
  try {
    return await readGguf(location, options)
  } catch (error) {
    if (!(error instanceof LlameroError)) throw error
    const missing = error.code === 'ERR_MODEL_NOT_FOUND'
    throw new LlameroError(
      error.code,
      missing
        ? `The model is not complete: there is no ${what}; it belongs beside the first part.`
        : `${error.message} (In ${what}.)`,
      { cause: error, details: error.details },
    )
  }
}

function partOf({ sizeBytes, dataOffset, tensors }: GgufFile, location: string | URL): GgufPart {
  return { location, sizeBytes, dataOffset, tensors }
}

function digits(number: number): string {
  return String(number).padStart(5, '0')
}

function partNames(source: string | URL, count: number): (index: number) => string {
  const stem = fileName(source).replace(partName, '')
  return (index) => `${stem}-${digits(index + 1)}-of-${digits(count)}.gguf`
}

function fileName(source: string | URL): string {
  if (typeof source === 'string') return basename(source)
  if (source.protocol === 'file:') return basename(fileURLToPath(source))
  return decodeURIComponent(source.pathname.slice(source.pathname.lastIndexOf('/') + 1))
}

function beside(source: string | URL, name: string): string | URL {
  if (typeof source === 'string') return join(dirname(source), name)
  const part = new URL(source)
  part.pathname = `${source.pathname.slice(0, source.pathname.lastIndexOf('/') + 1)}${encodeURIComponent(name)}`
  return part
}
