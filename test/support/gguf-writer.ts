import { valueTypes, type GgufValueType } from '../../lib/gguf/value.js'

export type Element = number | bigint | boolean | string | Uint8Array
type Scalar = Exclude<GgufValueType, 'array'>

export type WriterValue =
  | { readonly type: Scalar; readonly value: Element }
  | {
      readonly type: 'array'
      readonly elementType: GgufValueType
      readonly value: ArrayLike<Element>
      readonly count?: bigint
    }

export const u32 = (value: number): WriterValue => ({ type: 'uint32', value })
export const i32 = (value: number): WriterValue => ({ type: 'int32', value })
export const u64 = (value: bigint): WriterValue => ({ type: 'uint64', value })
export const u16 = (value: number): WriterValue => ({ type: 'uint16', value })
export const f32 = (value: number): WriterValue => ({ type: 'float32', value })
export const bool = (value: boolean): WriterValue => ({ type: 'bool', value })
export const text = (value: string | Uint8Array): WriterValue => ({ type: 'string', value })
export const array = (elementType: GgufValueType, value: ArrayLike<Element>, count?: bigint): WriterValue =>
  count === undefined ? { type: 'array', elementType, value } : { type: 'array', elementType, value, count }

export interface WriterTensor {
  readonly name: string
  readonly dimensions: readonly (number | bigint)[]
  /** The ggml type's number; 0 (F32) if left out. */
  readonly type?: number
  readonly data?: Float32Array | Uint8Array
  /** Bytes from the beginning of the data; the right place if left out. */
  readonly offset?: bigint
  readonly dimensionCount?: number
}

type Pair = readonly [key: string | Uint8Array, value: WriterValue]
type Pairs = readonly (readonly [key: string | Uint8Array, value: WriterValue | undefined])[]

export interface WriterFile {
  /** Pairs rather than a map where a test needs one key twice. */
  readonly metadata: Readonly<Record<string, WriterValue | undefined>> | Pairs
  readonly tensors?: readonly WriterTensor[]
  readonly version?: number
  readonly littleEndian?: boolean
  readonly alignment?: number
  readonly tensorCount?: bigint
  readonly keyCount?: bigint
}

export interface Layout {
  readonly bytes: Uint8Array
  /** Where each field of the header ends. */
  readonly edges: readonly number[]
  readonly dataOffset: number
}

/** A GGUF file in memory; every count, offset and type may be wrong on purpose. */
export function writeGguf(file: WriterFile): Uint8Array {
  return layoutGguf(file).bytes
}

export function layoutGguf(file: WriterFile): Layout {
  const out = new FieldWriter(file.littleEndian ?? true)
  const alignment = file.alignment ?? 32
  const tensors = file.tensors ?? []
  const pairs = Array.isArray(file.metadata) ? (file.metadata as Pairs) : Object.entries(file.metadata)
  const metadata = pairs.filter((pair): pair is Pair => pair[1] !== undefined)
  out.raw(Buffer.from('GGUF'))
  out.number('uint32', file.version ?? 3)
  out.number('uint64', file.tensorCount ?? BigInt(tensors.length))
  out.number('uint64', file.keyCount ?? BigInt(metadata.length))
  for (const [key, value] of metadata) {
    out.string(key)
    out.value(value)
  }
  let offset = 0n
  for (const tensor of tensors) {
    out.string(tensor.name)
    out.number('uint32', tensor.dimensionCount ?? tensor.dimensions.length)
    for (const dimension of tensor.dimensions) out.number('uint64', BigInt(dimension))
    out.number('uint32', tensor.type ?? 0)
    out.number('uint64', tensor.offset ?? offset)
    offset += BigInt(padded(tensor.data?.byteLength ?? 0, alignment))
  }
  const dataOffset = tensors.length === 0 ? out.length : padded(out.length, alignment)
  const bytes = new Uint8Array(dataOffset + Number(offset))
  bytes.set(out.bytes())
  let at = dataOffset
  for (const { data } of tensors) {
    if (data === undefined) continue
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at)
    at += padded(data.byteLength, alignment)
  }
  return { bytes, edges: out.edges, dataOffset }
}

function padded(size: number, alignment: number): number {
  return alignment > 0 ? Math.ceil(size / alignment) * alignment : size
}

const widths = {
  uint8: 1,
  int8: 1,
  bool: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  uint64: 8,
  int64: 8,
  float64: 8,
} as const

class FieldWriter {
  readonly edges: number[] = []
  #buffer = Buffer.alloc(64 * 1024)
  #view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset)
  readonly #little: boolean
  length = 0

  constructor(littleEndian: boolean) {
    this.#little = littleEndian
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length)
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#buffer.set(bytes, this.length)
    this.length += bytes.length
    this.edges.push(this.length)
  }

  string(value: string | Uint8Array): void {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    this.number('uint64', BigInt(bytes.length))
    this.raw(bytes)
  }

  value(value: WriterValue): void {
    this.number('uint32', valueTypes.indexOf(value.type))
    if (value.type !== 'array') return this.element(value.type, value.value)
    this.number('uint32', valueTypes.indexOf(value.elementType))
    this.number('uint64', value.count ?? BigInt(value.value.length))
    for (let index = 0; index < value.value.length; index++)
      this.element(value.elementType, value.value[index] as Element)
  }

  element(type: GgufValueType, value: Element): void {
    if (type === 'string') this.string(value as string | Uint8Array)
    else if (type !== 'array') this.number(type, value as number | bigint | boolean)
  }

  number(type: keyof typeof widths, value: number | bigint | boolean): void {
    const width = widths[type]
    this.#room(width)
    const at = this.length
    if (type === 'float32') this.#view.setFloat32(at, Number(value), this.#little)
    else if (type === 'float64') this.#view.setFloat64(at, Number(value), this.#little)
    else if (width === 8) this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), this.#little)
    else if (width === 4) this.#view.setUint32(at, Number(value) >>> 0, this.#little)
    else if (width === 2) this.#view.setUint16(at, Number(value), this.#little)
    else this.#view.setUint8(at, Number(value))
    this.length += width
    this.edges.push(this.length)
  }

  #room(count: number): void {
    if (this.length + count <= this.#buffer.length) return
    const larger = Buffer.alloc((this.length + count) * 2)
    larger.set(this.#buffer.subarray(0, this.length))
    this.#buffer = larger
    this.#view = new DataView(larger.buffer, larger.byteOffset)
  }
}
