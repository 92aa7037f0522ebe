import { invalidModel, quoted } from './fault.js'
import type { HeaderWindow } from './header-window.js'
import { limits } from './limits.js'
import { stringArray, type GgufStrings } from './string-array.js'
import {
  hostIsLittleEndian,
  numberArrays,
  valueTypes,
  type GgufNumbers,
  type GgufValue,
  type GgufValueType,
} from './value.js'

/** Room for the bytes of a string array before it grows. */
const firstCapacity = 4 * 1024 * 1024

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads `count` keys with their values. */
export async function readMetadata(window: HeaderWindow, count: number): Promise<Map<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>()
  for (let index = 0; index < count; index++) {
    const key = await readKey(window, index)
    if (metadata.has(key)) throw invalidModel(`the metadata key ${quoted(key)} appears twice.`, { key })
    metadata.set(key, await readValue(window, key))
  }
  return metadata
}

async function readKey(window: HeaderWindow, index: number): Promise<string> {
  window.section = `metadata key ${index + 1}`
  await window.fill(8)
  const length = window.count()
  if (length === 0 || length > limits.keyBytes) {
    throw invalidModel(`metadata key ${index + 1} has ${length} bytes; 1 to ${limits.keyBytes} are allowed.`, { index })
  }
  await window.fill(length)
  const bytes = window.bytes(length)
  try {
    if (!bytes.includes(0)) return utf8.decode(bytes)
  } catch {
    // Falls through: not text, like a zero byte inside.
  }
  throw invalidModel(`metadata key ${index + 1} is not text.`, { index })
}

async function readValue(window: HeaderWindow, key: string): Promise<GgufValue> {
  window.section = `the value of ${quoted(key)}`
  await window.fill(4)
  const type = valueType(window.u32(), key)
  if (type !== 'array') return readScalar(window, type, key)
  await window.fill(12)
  const elementType = valueType(window.u32(), key)
  if (elementType === 'array') throw invalidModel(`the value of ${quoted(key)} is an array of arrays.`, { key })
  const length = window.count()
  // A string needs its 8 bytes of length at the least.
  const least = elementType === 'string' ? 8 : numberArrays[elementType].BYTES_PER_ELEMENT
  if (length > limits.arrayElements || length * least > window.remaining) {
    throw invalidModel(
      `the value of ${quoted(key)} claims ${length} elements; ${window.remaining} bytes are left in the file, and ` +
        `${limits.arrayElements} elements are the most that is read.`,
      { key, elements: length },
    )
  }
  window.expect(length * least)
  if (elementType === 'string') return { type, elementType, value: await readStrings(window, length, key) }
  return { type, elementType, value: await readNumbers(window, elementType, length, key) }
}

function valueType(code: number, key: string): GgufValueType {
  const type = valueTypes[code]
  if (type === undefined)
    throw invalidModel(`the value of ${quoted(key)} has the unknown type ${code}.`, { key, type: code })
  return type
}

async function readScalar(
  window: HeaderWindow,
  type: Exclude<GgufValueType, 'array'>,
  key: string,
): Promise<GgufValue> {
  await window.fill(type === 'string' ? 8 : numberArrays[type].BYTES_PER_ELEMENT)
  switch (type) {
    case 'uint8':
      return { type, value: window.u8() }
    case 'int8':
      return { type, value: window.i8() }
    case 'uint16':
      return { type, value: window.u16() }
    case 'int16':
      return { type, value: window.i16() }
    case 'uint32':
      return { type, value: window.u32() }
    case 'int32':
      return { type, value: window.i32() }
    case 'float32':
      return { type, value: window.f32() }
    case 'float64':
      return { type, value: window.f64() }
    case 'uint64':
      return { type, value: window.u64() }
    case 'int64':
      return { type, value: window.i64() }
    case 'bool': {
      const byte = window.u8()
      if (byte > 1)
        throw invalidModel(`the value of ${quoted(key)} is a boolean of ${byte}; 0 or 1 was expected.`, { key })
      return { type, value: byte === 1 }
    }
    case 'string': {
      const length = stringLength(window, key)
      await window.fill(length)
      return { type, value: window.bytes(length).toString('utf8') }
    }
    default:
      return type satisfies never
  }
}

function stringLength(window: HeaderWindow, key: string): number {
  const length = window.count()
  if (length > limits.stringBytes) {
    throw invalidModel(
      `the value of ${quoted(key)} holds a string of ${length} bytes; ${limits.stringBytes} are allowed.`,
      {
        key,
        bytes: length,
      },
    )
  }
  return length
}

async function readStrings(window: HeaderWindow, length: number, key: string): Promise<GgufStrings> {
  const ends = new Uint32Array(length)
  let bytes = Buffer.allocUnsafeSlow(Math.min(1024 + length * 16, firstCapacity))
  let used = 0
  for (let index = 0; index < length; index++) {
    if (!window.has(8)) await window.fill(8)
    const size = stringLength(window, key)
    if (!window.has(size)) await window.fill(size)
    if (used + size > bytes.length) {
      const larger = Buffer.allocUnsafeSlow((used + size) * 2)
      bytes.copy(larger, 0, 0, used)
      bytes = larger
    }
    window.bytes(size).copy(bytes, used)
    used += size
    ends[index] = used
  }
  return stringArray(bytes.subarray(0, used), ends)
}

async function readNumbers(
  window: HeaderWindow,
  type: Exclude<GgufValueType, 'string' | 'array'>,
  length: number,
  key: string,
): Promise<GgufNumbers> {
  const numbers = new numberArrays[type](length)
  const bytes = Buffer.from(numbers.buffer)
  await window.readInto(bytes)
  if (window.littleEndian !== hostIsLittleEndian) swapBytes(bytes, numbers.BYTES_PER_ELEMENT)
  if (type === 'bool' && bytes.some((byte) => byte > 1)) {
    throw invalidModel(`the value of ${quoted(key)} is an array of booleans with other values than 0 and 1.`, { key })
  }
  return numbers
}

function swapBytes(bytes: Buffer, width: number): void {
  if (width === 2) bytes.swap16()
  else if (width === 4) bytes.swap32()
  else if (width === 8) bytes.swap64()
}
