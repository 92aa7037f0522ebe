import { architectures } from './architecture.js'
import { quoted, unsupportedModel } from './fault.js'
import { readString, required } from './field.js'
import type { GgufFile } from './gguf-file.js'
import { checkHyperparameters } from './hyperparameters.js'
import { refuseOllamaForm } from './ollama-form.js'
import { withOverrides } from './ollama-metadata.js'
import { splitCount } from './split.js'
import { hostIsLittleEndian } from './value.js'
import { checkVocabulary } from './vocabulary.js'
import { checkWeights } from './weights.js'

/** What {@link validateModel} asks of a file. */
export interface ValidateModelOptions {
  /**
   * Accept a file without tensors and look only at its vocabulary.
   * @default false
   */
  readonly vocabularyOnly?: boolean
}

/** What a file of another kind than a model is, and what to do about it. */
const otherKinds: Readonly<Record<string, string>> = {
  __proto__: null as never,
  adapter: 'a LoRA adapter; load its base model',
  mmproj: 'a projector for images or sound; load the language model that it belongs to',
  imatrix: 'an importance matrix for quantising',
}

/**
 * Holds a header that {@link readGguf} accepted against what llama.cpp needs of a model, so that a hostile or damaged
 * file is refused here instead of ending the process there: architecture, layers (1 to 512), experts (up to 1,024),
 * attention heads, epsilons, rope, the vocabulary with its special ids, and the types of tensors.
 *
 * It accepts every model that llama.cpp runs, but not that the weights make sense: the first load of an unknown file
 * still belongs into a child process.
 *
 * @throws LlameroError `ERR_MODEL_INVALID`, naming the key, token or tensor; `ERR_UNSUPPORTED` for an architecture,
 * tokenizer, byte order or kind of file that this build cannot run
 */
export function validateModel(given: GgufFile, options: ValidateModelOptions = {}): void {
  const file = withOverrides(given)
  checkByteOrder(file)
  const kind = readString(file, 'general.type')
  if (kind !== undefined && otherKinds[kind] !== undefined)
    throw unsupportedModel(`it is ${otherKinds[kind]}.`, { kind })
  const architecture = required(readString(file, 'general.architecture'), 'general.architecture')
  if (architecture === 'clip') throw unsupportedModel(`it is ${otherKinds['mmproj']}.`, { architecture })
  refuseOllamaForm(file, architecture)
  if (!architectures.has(architecture)) {
    throw unsupportedModel(
      `its architecture ${quoted(architecture)} is not known to this version of llama.cpp; a newer llamero may know it.`,
      { architecture },
    )
  }
  checkSplit(file)
  checkVocabulary(file)
  if (options.vocabularyOnly === true) return
  checkHyperparameters(file, architecture)
  checkWeights(file)
}

/** llama.cpp does not swap bytes. */
export function checkByteOrder(file: GgufFile): void {
  if (file.littleEndian === hostIsLittleEndian) return
  const [found, needed] = file.littleEndian ? ['little', 'big'] : ['big', 'little']
  throw unsupportedModel(`it is ${found}-endian and this machine is ${needed}-endian; fetch or convert the other kind.`)
}

function checkSplit(file: GgufFile): void {
  const count = splitCount(file)
  if (count === 1 || file.parts?.length === count) return
  throw unsupportedModel(`it is one of ${count} parts; join them by quantizing to 'copy', or with llama-gguf-split.`, {
    key: 'split.count',
  })
}
