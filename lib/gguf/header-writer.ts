import { LlameroError } from '../errors.js'
import { limits } from './limits.js'
import { tensorTypes } from './tensor-type.js'
import { numberArrays, valueTypes, type GgufValue, type GgufValueType } from './value.js'

/** A tensor of a file that is to be written. */
export interface GgufTensorShape {
  readonly name: string
  /** The ggml type, such as `F32` or `Q4_K`. */
  readonly type: string
  /** Elements along each dimension, 1 to 4 of them; the first is the row that lies together. */
  readonly dimensions: readonly number[]
}

/** Where one tensor's data belongs in the file. */
export interface GgufPlace {
  /** First byte, counted from the beginning of the file. */
  readonly offset: number
  readonly sizeBytes: number
}

/** A header, and where the data behind it goes. */
export interface GgufLayout {
  /** Everything before the data, padded to its first byte. */
  readonly header: Buffer
  /** One place for each tensor, in their order. What lies between them is filled with zeros, and so is the end. */
  readonly places: readonly GgufPlace[]
  /** Size of the whole file. */
  readonly sizeBytes: number
}

/**
 * The header of a little-endian GGUF file of version 3 with an alignment of 32 bytes: what {@link readGguf} reads back as
 * the same keys, values and tensors.
 *
 * @throws LlameroError `ERR_INTERNAL` for a tensor type or a shape that the format does not have
 */
export function layoutGguf(metadata: ReadonlyMap<string, GgufValue>, tensors: readonly GgufTensorShape[]): GgufLayout {
  const out = new FieldWriter()
  out.bytes(Buffer.from('GGUF'))
  out.number('uint32', 3)
  out.number('uint64', BigInt(tensors.length))
  out.number('uint64', BigInt(metadata.size))
  for (const [key, value] of metadata) {
    out.string(Buffer.from(key))
    writeValue(out, value)
  }
  const sizes = tensors.map(sizeOf)
  let offset = 0
  const offsets = sizes.map((size) => {
    const begin = offset
    offset += padded(size)
    return begin
  })
  tensors.forEach((tensor, index) => {
    out.string(Buffer.from(tensor.name))
    out.number('uint32', tensor.dimensions.length)
    for (const dimension of tensor.dimensions) out.number('uint64', BigInt(dimension))
    out.number('uint32', typeCodes.get(tensor.type) ?? 0)
    out.number('uint64', BigInt(offsets[index] ?? 0))
  })
  out.bytes(Buffer.alloc(tensors.length === 0 ? 0 : padded(out.length) - out.length))
  const header = out.taken()
  return {
    header,
    places: sizes.map((sizeBytes, index) => ({ offset: header.length + (offsets[index] ?? 0), sizeBytes })),
    sizeBytes: header.length + offset,
  }
}

const typeCodes = new Map([...tensorTypes].map(([code, { name }]) => [name, code]))

function sizeOf({ name, type, dimensions }: GgufTensorShape): number {
  const layout = tensorTypes.get(typeCodes.get(type) ?? -1)
  const [row = 0] = dimensions
  const elements = dimensions.reduce((product, dimension) => product * dimension, 1)
  if (
    layout === undefined ||
    dimensions.length > limits.dimensions ||
    row % layout.blockElements !== 0 ||
    !(Number.isSafeInteger(elements) && elements > 0)
  ) {
    throw new LlameroError(
      'ERR_INTERNAL',
      `No GGUF file holds a tensor of ${type}, ${dimensions.join(' x ')}: ${name}.`,
    )
  }
  return (elements / layout.blockElements) * layout.blockBytes
}

const padded = (size: number) => Math.ceil(size / limits.alignment.default) * limits.alignment.default

function writeValue(out: FieldWriter, value: GgufValue): void {
  out.type(value.type)
  switch (value.type) {
    case 'string':
      out.string(Buffer.from(value.value))
      return
    case 'array':
      out.type(value.elementType)
      out.number('uint64', BigInt(value.value.length))
      if (value.elementType !== 'string') out.bytes(littleEndian(value.value))
      else for (let index = 0; index < value.value.length; index++) out.string(value.value.bytesAt(index))
      return
    default:
      out.number(value.type, value.value)
  }
}

function littleEndian(numbers: NodeJS.TypedArray): Buffer {
  const bytes = Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength)
  const width = numbers.BYTES_PER_ELEMENT
  if (hostIsLittleEndian || width === 1) return bytes
  const swapped = Buffer.from(bytes)
  return width === 2 ? swapped.swap16() : width === 4 ? swapped.swap32() : swapped.swap64()
}

const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

class FieldWriter {
  #buffer = Buffer.allocUnsafe(64 * 1024)
  length = 0

  taken(): Buffer {
    return this.#buffer.subarray(0, this.length)
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#room(bytes.length)
    this.#buffer.set(bytes, at)
  }

  string(bytes: Uint8Array): void {
    this.number('uint64', BigInt(bytes.length))
    this.bytes(bytes)
  }

  type(type: GgufValueType): void {
    this.number('uint32', valueTypes.indexOf(type))
  }

  number(type: keyof typeof numberArrays, value: number | bigint | boolean): void {
    const at = this.#room(numberArrays[type].BYTES_PER_ELEMENT)
    const view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset)
    if (typeof value === 'bigint') view.setBigUint64(at, BigInt.asUintN(64, value), true)
    else if (type === 'float64') view.setFloat64(at, Number(value), true)
    else if (type === 'float32') view.setFloat32(at, Number(value), true)
    else if (type === 'uint32' || type === 'int32') view.setInt32(at, Number(value), true)
    else if (type === 'uint16' || type === 'int16') view.setInt16(at, Number(value), true)
    else view.setInt8(at, Number(value))
  }

  /** The place of the next `count` bytes. */
  #room(count: number): number {
    const at = this.length
    if (at + count > this.#buffer.length) {
      const larger = Buffer.allocUnsafe((at + count) * 2)
      larger.set(this.#buffer.subarray(0, at))
      this.#buffer = larger
    }
    this.length += count
    return at
  }
}
