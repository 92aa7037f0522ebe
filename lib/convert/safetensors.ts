import { invalidSource, quoted } from './fault.js'
import { Fields, parseJson } from './json.js'
import { limits } from './limits.js'
import { readExactly, type SourceFile } from './source-directory.js'

/** Bytes of an element of each type that the format knows at this time. */
const elementBytes: Readonly<Record<string, number>> = {
  __proto__: null as never,
  F64: 8,
  I64: 8,
  U64: 8,
  C64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  I8: 1,
  U8: 1,
  BOOL: 1,
}

/** A tensor of a safetensors file; its data is not read. */
export interface SourceTensor {
  readonly name: string
  /** Such as `F32` or `BF16`. */
  readonly type: string
  /** Elements along each dimension; the last is the row that lies together. */
  readonly shape: readonly number[]
  readonly file: SourceFile
  /** First byte, counted from the beginning of the file. */
  readonly offset: number
  readonly sizeBytes: number
}

/**
 * Reads the header of a safetensors file and holds it against the file: its length, and for each tensor that type and
 * shape make as many bytes as it has, inside the file, with neither gaps nor overlaps between tensors.
 *
 * @see https://github.com/huggingface/safetensors#format
 */
export async function readSafetensors(file: SourceFile): Promise<SourceTensor[]> {
  const name = quoted(file.name)
  if (file.sizeBytes < 8) throw invalidSource(`${name} has ${file.sizeBytes} bytes and is no safetensors file.`)
  const length = (await readExactly(file, 0, 8)).readBigUInt64LE()
  if (length > BigInt(limits.headerBytes) || 8n + length > BigInt(file.sizeBytes)) {
    throw invalidSource(
      `${name} claims a header of ${length} bytes; the file has ${file.sizeBytes}, and ${limits.headerBytes} are the ` +
        `most that is read. It is truncated, damaged or no safetensors file.`,
    )
  }
  const dataOffset = 8 + Number(length)
  const header = new Fields(parseJson(await readExactly(file, 8, Number(length)), `the header of ${name}`), name)
  const tensors = header
    .entries()
    .filter(([tensor]) => tensor !== '__metadata__')
    .map(([tensor, value]) => readTensor(tensor, new Fields(value, `${quoted(tensor)} in ${name}`), file, dataOffset))
  if (tensors.length > limits.sourceTensors) {
    throw invalidSource(`${name} has ${tensors.length} tensors; ${limits.sourceTensors} are the most that is read.`)
  }
  checkPlaces(tensors, file, dataOffset)
  return tensors
}

function readTensor(name: string, fields: Fields, file: SourceFile, dataOffset: number): SourceTensor {
  const type = fields.required('dtype', fields.string('dtype'))
  const width = elementBytes[type]
  if (width === undefined) throw invalidSource(`${fields.name} has the unknown type ${quoted(type)}.`, { tensor: name })
  const shape = fields.required('shape', fields.numbers('shape'))
  const places = fields.required('data_offsets', fields.numbers('data_offsets'))
  const [begin = -1, end = -1] = places
  const elements = shape.reduce((product, size) => product * size, 1)
  const wellFormed =
    shape.length <= limits.dimensions &&
    shape.every((size) => Number.isSafeInteger(size) && size >= 0) &&
    Number.isSafeInteger(elements * width) &&
    places.length === 2 &&
    places.every((place) => Number.isSafeInteger(place) && place >= 0)
  if (!wellFormed || end - begin !== elements * width) {
    throw invalidSource(
      `${fields.name} has the shape [${shape.slice(0, 9).join(', ')}] of ${type}, which are ${elements * width} bytes, ` +
        `but lies from byte ${begin} to ${end}.`,
      { tensor: name },
    )
  }
  return { name, type, shape, file, offset: dataOffset + begin, sizeBytes: end - begin }
}

/** As the format demands: each byte of the data belongs to one tensor. */
function checkPlaces(tensors: readonly SourceTensor[], file: SourceFile, dataOffset: number): void {
  let expected = dataOffset
  for (const tensor of tensors.toSorted((a, b) => a.offset - b.offset || a.sizeBytes - b.sizeBytes)) {
    if (tensor.offset !== expected) {
      throw invalidSource(
        `${quoted(tensor.name)} in ${quoted(file.name)} begins at byte ${tensor.offset}; ${expected} was expected, since ` +
          'tensors follow one another without gaps or overlaps.',
        { tensor: tensor.name },
      )
    }
    expected += tensor.sizeBytes
  }
  if (expected !== file.sizeBytes) {
    throw invalidSource(
      `${quoted(file.name)} has ${file.sizeBytes} bytes, but its tensors end at byte ${expected}; it is truncated or ` +
        'damaged, so fetch it again.',
    )
  }
}
