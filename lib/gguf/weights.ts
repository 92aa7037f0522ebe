import { invalidModel, quoted } from './fault.js'
import type { GgufFile } from './gguf-file.js'
import { tensorTypes } from './tensor-type.js'

const weightTypes = new Set([...tensorTypes.values()].filter(({ weights }) => weights).map(({ name }) => name))

/** The tables of indices among the tensors that llama.cpp knows at the pinned version. */
const indexTable = /(^d2t|tid2eid)/

/** Vectors that the kernels take as F32 only. */
const plain = /(norm\.weight|\.bias|rope_(freqs|factors_\w+)\.weight)$/

/** Holds the types of tensors against what llama.cpp's CPU kernels compute with; they abort on others. */
export function checkWeights(file: GgufFile): void {
  if (file.tensors.length === 0) {
    throw invalidModel('it has no weights: it is a vocabulary or metadata file, not a model that can generate.')
  }
  for (const { name, type, dimensions } of file.tensors) {
    if (indexTable.test(name)) continue
    if (!weightTypes.has(type)) {
      throw invalidModel(`the tensor ${quoted(name)} has the type ${type}, with which llama.cpp cannot compute.`, {
        tensor: name,
      })
    }
    if (plain.test(name) && dimensions.length === 1 && type !== 'F32') {
      throw invalidModel(`the tensor ${quoted(name)} has the type ${type}; F32 was expected of a norm or bias.`, {
        tensor: name,
      })
    }
  }
}
