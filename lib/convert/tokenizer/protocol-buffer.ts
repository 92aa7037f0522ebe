import { invalidSource } from '../fault.js'

/** One message of protocol buffers: its fields by number, in the order of the file. */
export interface Message {
  /** Nested messages of a field, all of them. */
  messages(field: number): Message[]
  bytes(field: number): Buffer | undefined
  /** A whole number, an enum or a boolean. */
  number(field: number): number | undefined
  /** A float of 4 bytes. */
  float(field: number): number | undefined
}

type Value = number | Buffer

/**
 * Reads the wire format: enough for SentencePiece's files. The last value counts where a field stands twice.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function readMessage(bytes: Buffer): Message {
  const fields = new Map<number, Value[]>()
  for (let at = 0; at < bytes.length;) {
    const key = varint(bytes, at)
    const field = Math.floor(key.value / 8)
    const { value, end } = readValue(bytes, key.end, key.value % 8)
    const values = fields.get(field)
    if (values === undefined) fields.set(field, [value])
    else values.push(value)
    at = end
  }
  const last = (field: number) => fields.get(field)?.at(-1)
  const lastBytes = (field: number) => {
    const value = last(field)
    return typeof value === 'object' ? value : undefined
  }
  return {
    messages: (field) => (fields.get(field) ?? []).filter((value) => typeof value === 'object').map(readMessage),
    bytes: lastBytes,
    number(field) {
      const value = last(field)
      return typeof value === 'number' ? value : undefined
    },
    float(field) {
      const value = lastBytes(field)
      return value?.length === 4 ? value.readFloatLE() : undefined
    },
  }
}

/** Fixed widths are left as bytes. */
function readValue(bytes: Buffer, at: number, wireType: number): { readonly value: Value; readonly end: number } {
  switch (wireType) {
    case 0:
      return varint(bytes, at)
    case 1:
      return slice(bytes, at, 8)
    case 2: {
      const length = varint(bytes, at)
      return slice(bytes, length.end, length.value)
    }
    case 5:
      return slice(bytes, at, 4)
    default:
      throw damaged()
  }
}

function slice(bytes: Buffer, at: number, length: number): { readonly value: Buffer; readonly end: number } {
  if (length > bytes.length - at) throw damaged()
  return { value: bytes.subarray(at, at + length), end: at + length }
}

function varint(bytes: Buffer, begin: number): { readonly value: number; readonly end: number } {
  let value = 0
  for (let count = 0; count < 10; count++) {
    const byte = bytes[begin + count]
    if (byte === undefined) break
    value += (byte & 0x7f) * 2 ** (7 * count)
    if (byte < 0x80) return { value, end: begin + count + 1 }
  }
  throw damaged()
}

function damaged(): Error {
  return invalidSource("'tokenizer.model' is no SentencePiece model, or is damaged; fetch it again.")
}
