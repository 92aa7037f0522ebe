import { invalidSource, quoted, unsupportedSource } from './fault.js'
import { limits } from './limits.js'
import { readSafetensors, type SourceTensor } from './safetensors.js'
import type { SourceDirectory, SourceFile } from './source-directory.js'

/** The weights of a folder: tensors of all its files by name, and how to close these. */
export interface WeightFiles {
  readonly tensors: ReadonlyMap<string, SourceTensor>
  close(): Promise<void>
}

const single = 'model.safetensors'
const index = 'model.safetensors.index.json'
/** Names that PyTorch's pickles go by. */
const pickle = /^(pytorch_model|consolidated|model|adapter_model).*\.(bin|pth|pt|ckpt|pkl)$/

/** Opens one file `model.safetensors`, or those that `model.safetensors.index.json` names. */
export async function openWeights(directory: SourceDirectory): Promise<WeightFiles> {
  const map = directory.names.has(single) ? undefined : await readIndex(directory)
  return openFiles(directory, map === undefined ? [single] : [...new Set(map.values())].sort(), map)
}

/** Opens the named files; with a map, each tensor must lie in the file that it names. */
export async function openFiles(
  directory: SourceDirectory,
  names: readonly string[],
  map?: ReadonlyMap<string, string>,
): Promise<WeightFiles> {
  const files: SourceFile[] = []
  const close = async () => {
    await Promise.all(files.map(({ handle }) => handle.close()))
  }
  try {
    const tensors = new Map<string, SourceTensor>()
    for (const name of names) {
      const file = await directory.open(name)
      if (file === undefined) throw missing(directory, name)
      files.push(file)
      for (const tensor of await readSafetensors(file)) {
        if (tensors.has(tensor.name)) {
          throw invalidSource(`${quoted(tensor.name)} stands in two files, also in ${quoted(name)}.`)
        }
        tensors.set(tensor.name, tensor)
      }
    }
    checkMap(tensors, map)
    return { tensors, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function readIndex(directory: SourceDirectory): Promise<Map<string, string>> {
  const document = await directory.json(index)
  if (document === undefined) throw missing(directory, single)
  const entries = document.required('weight_map', document.object('weight_map')).entries()
  const map = new Map<string, string>()
  for (const [tensor, file] of entries) {
    // A name with a slash, `..` or a drive would reach outside the folder.
    if (typeof file !== 'string' || !/^\w[\w-]*(\.[\w-]+)*\.safetensors$/.test(file)) {
      throw invalidSource(
        `${quoted(index)} looks for ${quoted(tensor)} in ${quoted(String(file))}; the plain name of a .safetensors file ` +
          'in the same folder was expected.',
        { tensor },
      )
    }
    map.set(tensor, file)
  }
  const files = new Set(map.values()).size
  if (files === 0 || files > limits.shards) {
    throw invalidSource(`${quoted(index)} names ${files} files; 1 to ${limits.shards} are allowed.`)
  }
  return map
}

function checkMap(tensors: ReadonlyMap<string, SourceTensor>, map: ReadonlyMap<string, string> | undefined): void {
  for (const [name, file] of map ?? []) {
    if (tensors.get(name)?.file.name !== file) {
      throw invalidSource(
        `${quoted(index)} promises ${quoted(name)} in ${quoted(file)}, where it is not; fetch both again.`,
        { tensor: name },
      )
    }
  }
}

function missing(directory: SourceDirectory, name: string): Error {
  const pickled = [...directory.names].find((found) => pickle.test(found))
  if (pickled !== undefined) {
    return unsupportedSource(
      `it has ${quoted(pickled)} instead of ${quoted(name)}. Such pickles are programs that run when they are read, so ` +
        'they are not opened here; save the model as safetensors, for example with `save_pretrained` of transformers.',
    )
  }
  if ([...directory.names].some((found) => found.endsWith('.gguf'))) {
    return invalidSource(`the folder has no ${quoted(name)} but a .gguf file, which needs no conversion; load that.`)
  }
  return invalidSource(`the folder has no ${quoted(name)}; fetch the whole model.`)
}
