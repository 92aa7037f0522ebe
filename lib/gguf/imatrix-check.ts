import { checkByteOrder } from './model-check.js'
import { invalidModel, quoted } from './fault.js'
import { readString, readStrings, readU32, required } from './field.js'
import type { GgufFile } from './gguf-file.js'

const sums = '.in_sum2'
const counts = '.counts'

/**
 * Holds a header that {@link readGguf} accepted against what llama.cpp needs of an importance matrix: its kind, how much
 * it was measured on, and a sum and a count for each tensor. The numbers themselves are judged as they are used.
 *
 * @throws LlameroError `ERR_MODEL_INVALID`, naming the key or tensor; `ERR_UNSUPPORTED` for the other byte order
 */
export function checkImatrix(file: GgufFile): void {
  checkByteOrder(file)
  if (readString(file, 'general.type') !== 'imatrix') {
    throw invalidModel(`it is no importance matrix: 'general.type' is not 'imatrix'. Make one with llama-imatrix.`)
  }
  required(readStrings(file, 'imatrix.datasets'), 'imatrix.datasets')
  required(readU32(file, 'imatrix.chunk_count'), 'imatrix.chunk_count')
  required(readU32(file, 'imatrix.chunk_size'), 'imatrix.chunk_size')
  const elements = new Map(file.tensors.map(({ name, elements }) => [name, elements]))
  for (const { name, type } of file.tensors) {
    if (type !== 'F32') throw invalidModel(`the tensor ${quoted(name)} is of type ${type}; F32 was expected.`)
    const stem = name.replace(/\.(in_sum2|counts)$/, '')
    const [columns, experts] = [elements.get(stem + sums) ?? 0, elements.get(stem + counts) ?? 0]
    if (stem === name || columns === 0 || experts === 0 || columns % experts !== 0) {
      throw invalidModel(`the tensor ${quoted(stem)} has no sums and counts that fit together.`, { tensor: stem })
    }
  }
  if (elements.size === 0) throw invalidModel('it has no entries; make it again with llama-imatrix.')
}
