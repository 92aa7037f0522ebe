import { invalidModel, quoted } from './fault.js'
import type { HeaderWindow } from './header-window.js'
import { limits, mostTensorSize } from './limits.js'
import { tensorTypes } from './tensor-type.js'

/** One tensor of a file; its weights are not read. */
export interface GgufTensor {
  readonly name: string
  /** The ggml type, such as `F32` or `Q4_K`. */
  readonly type: string
  /** Elements along each dimension, 1 to 4 of them; the first is the row that lies together. */
  readonly dimensions: readonly number[]
  /** Elements in all. */
  readonly elements: number
  /** First byte, counted from the beginning of the file. */
  readonly offset: number
  readonly sizeBytes: number
}

/** A tensor as the header claims it: exact, not yet held against the file. */
interface Claim {
  readonly name: string
  readonly type: string
  readonly dimensions: readonly bigint[]
  readonly elements: bigint
  readonly sizeBytes: bigint
  /** Counted from the beginning of the data. */
  readonly offset: bigint
}

/** Reads `count` tensor descriptions. */
export async function readTensorClaims(window: HeaderWindow, count: number): Promise<Claim[]> {
  const claims = new Map<string, Claim>()
  for (let index = 0; index < count; index++) {
    const name = await readName(window, index)
    if (claims.has(name)) throw invalidModel(`the tensor ${quoted(name)} appears twice.`, { tensor: name })
    claims.set(name, await readClaim(window, name))
  }
  return [...claims.values()]
}

async function readName(window: HeaderWindow, index: number): Promise<string> {
  window.section = `the description of tensor ${index + 1}`
  await window.fill(8)
  const length = window.count()
  if (length === 0 || length > limits.tensorNameBytes) {
    throw invalidModel(
      `tensor ${index + 1} has a name of ${length} bytes; 1 to ${limits.tensorNameBytes} are allowed.`,
      { index },
    )
  }
  await window.fill(length)
  const bytes = window.bytes(length)
  // ggml cuts a name at a zero byte, so two names that differ here could be one there.
  if (bytes.includes(0)) throw invalidModel(`the name of tensor ${index + 1} is not text.`, { index })
  return bytes.toString('latin1')
}

async function readClaim(window: HeaderWindow, name: string): Promise<Claim> {
  window.section = `the description of tensor ${quoted(name)}`
  await window.fill(4)
  const count = window.u32()
  if (count < 1 || count > limits.dimensions) {
    throw invalidModel(`the tensor ${quoted(name)} has ${count} dimensions; 1 to ${limits.dimensions} are allowed.`, {
      tensor: name,
    })
  }
  await window.fill(count * 8 + 12)
  const dimensions = Array.from({ length: count }, () => window.u64())
  const elements = dimensions.reduce((product, dimension) => product * dimension, 1n)
  if (elements < 1n || elements > mostTensorSize) {
    throw invalidModel(
      `the tensor ${quoted(name)} has the shape ${dimensions.join(' x ')}; 1 to 2^63 - 1 elements are allowed.`,
      { tensor: name },
    )
  }
  const code = window.u32()
  const type = tensorTypes.get(code)
  if (type === undefined) {
    throw invalidModel(
      `the tensor ${quoted(name)} has the type ${code}, which llama.cpp ` +
        `${code < 43 ? 'no longer supports' : 'does not know at this version'}; use another quantisation.`,
      { tensor: name, type: code },
    )
  }
  const blockElements = BigInt(type.blockElements)
  if ((dimensions[0] ?? 0n) % blockElements !== 0n) {
    throw invalidModel(
      `the tensor ${quoted(name)} has rows of ${dimensions[0]} elements, but ${type.name} stores ${blockElements} at a time.`,
      { tensor: name },
    )
  }
  const sizeBytes = (elements / blockElements) * BigInt(type.blockBytes)
  if (sizeBytes > mostTensorSize) {
    throw invalidModel(`the tensor ${quoted(name)} claims ${sizeBytes} bytes; 2^63 - 1 are allowed.`, { tensor: name })
  }
  return { name, type: type.name, dimensions, elements, sizeBytes, offset: window.u64() }
}

/**
 * Holds the claims against the file: as llama.cpp wants it, tensors follow one another in the order of their
 * descriptions, each padded to the alignment, and all lie inside the file.
 */
export function placeTensors(
  claims: readonly Claim[],
  dataOffset: number,
  alignment: number,
  fileSize: number,
): GgufTensor[] {
  const unit = BigInt(alignment)
  let expected = 0n
  return claims.map((claim) => {
    const { name, offset, sizeBytes } = claim
    if (offset !== expected) {
      throw invalidModel(
        `the tensor ${quoted(name)} begins at byte ${offset} of the data; ${expected} was expected, since tensors ` +
          `follow one another without gaps.`,
        { tensor: name, offset: String(offset), expected: String(expected) },
      )
    }
    const end = BigInt(dataOffset) + offset + sizeBytes
    if (end > BigInt(fileSize)) {
      throw invalidModel(
        `the tensor ${quoted(name)} ends at byte ${end}, but the file has ${fileSize} bytes; it is truncated or ` +
          `damaged, so fetch it again.`,
        { tensor: name, end: String(end), sizeBytes: fileSize },
      )
    }
    expected = ((offset + sizeBytes + unit - 1n) / unit) * unit
    return {
      name,
      type: claim.type,
      dimensions: claim.dimensions.map(Number),
      elements: Number(claim.elements),
      offset: dataOffset + Number(offset),
      sizeBytes: Number(sizeBytes),
    }
  })
}
