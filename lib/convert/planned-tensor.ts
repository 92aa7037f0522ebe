import type { GgufTensorShape } from '../gguf/header-writer.js'
import { convertElements, elementBytes, isElementType, type ElementType } from './element.js'
import { invalidSource, quoted, unsupportedSource } from './fault.js'
import { limits } from './limits.js'
import type { SourceTensor } from './safetensors.js'
import { readExactly } from './source-directory.js'

/** A tensor of the new file: computed here, or taken from a source. */
export interface PlannedTensor extends GgufTensorShape {
  readonly type: ElementType
  readonly data: Float32Array | SourceData
}

/** How a tensor comes out of its source. */
export interface SourceData {
  readonly source: SourceTensor
  readonly sourceType: ElementType
  /** Added to each element. */
  readonly shift: number
  /**
   * Rows of one attention head, whose halves are to be shuffled into pairs: Hugging Face rotates element i with i + half,
   * llama.cpp's `llama` rotates neighbours. 0: rows stay in place.
   */
  readonly headRows: number
  /** Rows that are taken from the beginning. */
  readonly rows: number
  readonly rowElements: number
}

/** What a tensor is to become; see {@link SourceData} for the fields. */
export interface TensorPlan {
  readonly name: string
  readonly type: ElementType
  readonly shift?: number
  readonly headRows?: number
  readonly mostRows?: number
}

/** Plans a tensor that is read from a source, or says why it can't be. */
export function planTensor(source: SourceTensor, plan: TensorPlan): PlannedTensor {
  const { name, shape, type: sourceType } = source
  const about = `the tensor ${quoted(name)}`
  if (!isElementType(sourceType)) {
    throw unsupportedSource(
      `${about} has the type ${sourceType}; F32, F16 or BF16 was expected. Quantised and integer weights must be ` +
        'unpacked first.',
      { tensor: name },
    )
  }
  if (shape.length < 1 || shape.length > 2 || shape.some((size) => size === 0)) {
    throw invalidSource(`${about} has the shape [${shape.join(', ')}]; one or two dimensions were expected.`, {
      tensor: name,
    })
  }
  const [rowCount = 1, rowElements] = shape.length === 1 ? [shape[0], 1] : [shape[0], shape[1] ?? 1]
  const { headRows = 0, mostRows = Infinity, shift = 0 } = plan
  if (headRows % 2 !== 0 || (headRows > 0 && rowCount % headRows !== 0)) {
    throw invalidSource(`${about} has ${rowCount} rows, which are no whole number of heads of ${headRows}.`, {
      tensor: name,
    })
  }
  if (rowElements * elementBytes[sourceType] > limits.rowBytes) {
    throw invalidSource(`${about} has rows of ${rowElements} elements; ${limits.rowBytes} bytes are the most.`, {
      tensor: name,
    })
  }
  const rows = Math.min(rowCount, mostRows)
  return {
    name: plan.name,
    type: plan.type,
    dimensions: shape.length === 1 ? [rows] : [rowElements, rows],
    data: { source, sourceType, shift, headRows, rows, rowElements },
  }
}

/** The bytes of a tensor in the order and type of the new file, a few MB at a time. */
export async function* tensorBytes({ data, name, type }: PlannedTensor): AsyncGenerator<Uint8Array, void, undefined> {
  if (data instanceof Float32Array) {
    yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return
  }
  for await (const bytes of sourceBytes(data)) {
    const converted = convertElements(bytes, data.sourceType, type, data.shift)
    if (converted.overflow) {
      throw unsupportedSource(
        `the tensor ${quoted(name)} has numbers beyond what ${type} holds; choose the type 'bf16' or 'f32'.`,
        { tensor: name },
      )
    }
    yield converted.bytes
  }
}

async function* sourceBytes(data: SourceData): AsyncGenerator<Uint8Array, void, undefined> {
  const { source, rows, rowElements, headRows } = data
  const rowBytes = rowElements * elementBytes[data.sourceType]
  const read = (row: number, count: number) =>
    readExactly(source.file, source.offset + row * rowBytes, count * rowBytes)
  const rowsAtOnce = Math.max(1, Math.floor(limits.chunkBytes / rowBytes))
  if (headRows === 0) {
    for (let row = 0; row < rows; row += rowsAtOnce) yield await read(row, Math.min(rowsAtOnce, rows - row))
    return
  }
  const half = headRows / 2
  const pairsAtOnce = Math.max(1, rowsAtOnce >> 1)
  for (let head = 0; head < rows; head += headRows) {
    for (let pair = 0; pair < half; pair += pairsAtOnce) {
      const count = Math.min(pairsAtOnce, half - pair)
      yield pairRows(await read(head + pair, count), await read(head + half + pair, count), rowBytes)
    }
  }
}

/** Rows of two halves in turn. */
function pairRows(first: Uint8Array, second: Uint8Array, rowBytes: number): Uint8Array {
  const pairs = Buffer.allocUnsafeSlow(first.length * 2)
  for (let at = 0; at < first.length; at += rowBytes) {
    pairs.set(first.subarray(at, at + rowBytes), at * 2)
    pairs.set(second.subarray(at, at + rowBytes), at * 2 + rowBytes)
  }
  return pairs
}
