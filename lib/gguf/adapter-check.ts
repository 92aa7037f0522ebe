import { LlameroError } from '../errors.js'
import { quoted, type FaultDetails } from './fault.js'
import { readF32, readNumbers, readString, readU32 } from './field.js'
import type { GgufFile } from './gguf-file.js'
import { checkByteOrder } from './model-check.js'
import type { GgufTensor } from './tensor.js'

/** What adapters are held against: of the model that they are for. */
export interface AdapterBase {
  readonly architecture: string
  /** Numbers in the state that goes from layer to layer. */
  readonly embeddingLength: number
  readonly layers: number
  readonly tensors: ReadonlyMap<string, Pick<GgufTensor, 'dimensions' | 'type'>>
}

/** What a LoRA file says of itself. */
export interface LoraSummary {
  /** `general.name`; '' if the file does not say. */
  readonly name: string
  readonly architecture: string
  /** Bytes of its matrices. */
  readonly sizeBytes: number
  /** The tokens that an activated LoRA (aLoRA) was trained to come in at; empty for others. */
  readonly invocationTokens: readonly number[]
}

/** The matrices of a LoRA that llama.cpp's converter writes; its kernels abort on some others. */
const matrixTypes: ReadonlySet<string> = new Set(['F32', 'F16', 'BF16', 'Q8_0'])

/** The shapes of a pair, in ggml's order: `a` first takes the input down to the rank, `b` takes it up to the output. */
interface Pair {
  a?: GgufTensor
  b?: GgufTensor
}

/** Sums up a model that {@link validateModel} accepted, for adapters to be held against. */
export function adapterBase(file: GgufFile): AdapterBase {
  const architecture = readString(file, 'general.architecture') ?? ''
  return {
    architecture,
    embeddingLength: readU32(file, `${architecture}.embedding_length`) ?? 0,
    layers: readU32(file, `${architecture}.block_count`) ?? 0,
    tensors: new Map(file.tensors.map(({ name, dimensions, type }) => [name, { dimensions, type }])),
  }
}

/**
 * Holds the header of a LoRA adapter against what llama.cpp asserts when it loads the file and when it multiplies with
 * it: kind, types of keys, both halves of every pair, their types, and all four dimensions against the base model's.
 *
 * @throws LlameroError `ERR_MODEL_INVALID` for a damaged, hostile or other file, `ERR_MODEL_REJECTED` for an adapter
 * that was made for another model, `ERR_UNSUPPORTED` for one that cannot be used here
 */
export function checkLora(file: GgufFile, base: AdapterBase): LoraSummary {
  checkByteOrder(file)
  const kind = readString(file, 'general.type')
  if (kind !== 'adapter') throw invalidAdapter(`its 'general.type' is ${shown(kind)}; 'adapter' was expected.`)
  const type = readString(file, 'adapter.type')
  if (type !== 'lora') throw invalidAdapter(`its 'adapter.type' is ${shown(type)}; 'lora' was expected.`)
  const architecture = readString(file, 'general.architecture') ?? ''
  if (architecture !== base.architecture) {
    throw otherBase(`it is for the architecture ${quoted(architecture)}, the model has ${quoted(base.architecture)}.`)
  }
  const alpha = readF32(file, 'adapter.lora.alpha')
  if (alpha !== undefined && !Number.isFinite(alpha)) throw invalidAdapter(`its 'adapter.lora.alpha' is ${alpha}.`)
  const tokens = readNumbers(file, 'adapter.alora.invocation_tokens', ['uint32']) ?? []
  const pairs = pairTensors(file)
  for (const [name, pair] of pairs) checkPair(name, pair, base)
  return {
    name: readString(file, 'general.name') ?? '',
    architecture,
    sizeBytes: file.tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    invocationTokens: Array.from(tokens as Iterable<number>),
  }
}

function pairTensors(file: GgufFile): Map<string, Pair> {
  const pairs = new Map<string, Pair>()
  for (const tensor of file.tensors) {
    const { name } = tensor
    // llama.cpp passes over trained norms.
    if (name.endsWith('_norm.weight')) continue
    const [, target, half] = /^(.+)\.lora_([ab])$/.exec(name) ?? []
    if (target === undefined || /\.lora_[ab]/.test(target)) {
      throw invalidAdapter(`the tensor ${quoted(name)} is no half of a pair; names end in '.lora_a' and '.lora_b'.`, {
        tensor: name,
      })
    }
    const pair = pairs.get(target) ?? {}
    pairs.set(target, pair)
    pair[half as 'a' | 'b'] = tensor
  }
  if (pairs.size === 0) throw invalidAdapter('it has no pairs of matrices.')
  return pairs
}

function checkPair(name: string, { a, b }: Pair, base: AdapterBase): void {
  const tensor = { tensor: name }
  if (a === undefined || b === undefined) {
    throw invalidAdapter(`the pair for ${quoted(name)} lacks its '.lora_${a === undefined ? 'a' : 'b'}'.`, tensor)
  }
  const target = base.tensors.get(name)
  if (target === undefined) throw otherBase(`the model has no tensor ${quoted(name)}.`, tensor)
  for (const half of [a, b]) {
    if (!matrixTypes.has(half.type)) {
      throw unsupportedAdapter(
        `the tensor ${quoted(half.name)} has the type ${half.type}; F32, F16, BF16 or Q8_0 was expected.`,
        tensor,
      )
    }
  }
  if (target.type === 'NVFP4') {
    throw unsupportedAdapter(`llama.cpp takes no adapter over ${quoted(name)}, which is of type NVFP4.`, tensor)
  }
  if (target.dimensions.length < 2) throw otherBase(`${quoted(name)} is no matrix in the model.`, tensor)
  const [inputs, outputs, experts, rest] = shapeOf(target)
  const [down, up] = [shapeOf(a), shapeOf(b)]
  const rank = up[0]
  // The embedding is looked up, not multiplied with: its pair lies the other way round.
  const fits =
    name === 'token_embd.weight'
      ? same(down, [rank, outputs, 1, 1]) && same(up, [rank, inputs, 1, 1])
      : same(down, [inputs, rank, experts, rest]) && same(up, [rank, outputs, experts, rest])
  if (!fits) {
    throw otherBase(
      `its matrices of ${down.join(' x ')} and ${up.join(' x ')} do not fit ${quoted(name)}, which has ` +
        `${shapeOf(target).join(' x ')}.`,
      tensor,
    )
  }
  if (name === 'token_embd.weight' && !base.tensors.has('output.weight')) {
    throw unsupportedAdapter('it changes the embedding, which this model uses as its output too.', tensor)
  }
}

type Shape = readonly [number, number, number, number]

function shapeOf({
  dimensions: [first = 1, second = 1, third = 1, fourth = 1],
}: Pick<GgufTensor, 'dimensions'>): Shape {
  return [first, second, third, fourth]
}

function same(found: Shape, expected: Shape): boolean {
  return found.every((size, index) => size === expected[index])
}

/** A direction of a control vector: a tensor of F32 that is added to what leaves a layer. */
export interface Direction {
  /** 1 to the number of layers less 1. */
  readonly layer: number
  readonly tensor: GgufTensor
}

/**
 * The directions of a control vector's file: tensors `direction.<layer>`, each as wide as the model's embedding. Throws
 * as {@link checkLora} does.
 */
export function checkControlVector(file: GgufFile, base: AdapterBase): Direction[] {
  checkByteOrder(file)
  const hint = readString(file, 'controlvector.model_hint') ?? base.architecture
  if (hint !== base.architecture) {
    throw otherBase(`it is for the architecture ${quoted(hint)}, the model has ${quoted(base.architecture)}.`)
  }
  if (file.tensors.length === 0) throw invalidAdapter('it has no directions.')
  return file.tensors.map((tensor) => {
    const { name, type, dimensions } = tensor
    const layer = Number(/^direction\.(\d{1,3})$/.exec(name)?.[1] ?? NaN)
    if (Number.isNaN(layer) || type !== 'F32' || dimensions.length !== 1) {
      throw invalidAdapter(
        `the tensor ${quoted(name)} of type ${type} and shape ${dimensions.join(' x ')} is no direction; a vector ` +
          "'direction.<layer>' of type F32 was expected.",
        { tensor: name },
      )
    }
    if (layer < 1 || layer >= base.layers || dimensions[0] !== base.embeddingLength) {
      throw otherBase(
        `${quoted(name)} has ${dimensions[0]} numbers; the model takes ${base.embeddingLength} for each of its layers ` +
          `1 to ${base.layers - 1}.`,
        { tensor: name },
      )
    }
    return { layer, tensor }
  })
}

const shown = (value: string | undefined) => (value === undefined ? 'missing' : quoted(value))

function invalidAdapter(found: string, details: FaultDetails = {}): LlameroError {
  return new LlameroError('ERR_MODEL_INVALID', `The adapter file is not valid: ${found}`, { details })
}

function unsupportedAdapter(found: string, details: FaultDetails = {}): LlameroError {
  return new LlameroError('ERR_UNSUPPORTED', `The adapter cannot be used here: ${found}`, { details })
}

function otherBase(found: string, details: FaultDetails = {}): LlameroError {
  return new LlameroError('ERR_MODEL_REJECTED', `The adapter was made for another model: ${found}`, { details })
}
