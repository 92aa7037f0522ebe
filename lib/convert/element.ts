/** The types that weights are read in and written in. */
export type ElementType = 'F32' | 'F16' | 'BF16'

/** Bytes of one element. */
export const elementBytes: Readonly<Record<ElementType, number>> = { F32: 4, F16: 2, BF16: 2 }

/** Whether weights of a source can be read in this type. */
export function isElementType(type: string): type is ElementType {
  return Object.hasOwn(elementBytes, type)
}

/** Whether a finite number became infinite, since the new type has no room for it. */
export interface Conversion {
  readonly bytes: Uint8Array
  readonly overflow: boolean
}

/**
 * Elements of one type as those of another, rounded to the nearest, ties to the even one; `shift` is added before.
 *
 * @param source whole elements that begin at a multiple of 4 bytes in their buffer
 */
export function convertElements(source: Uint8Array, from: ElementType, to: ElementType, shift = 0): Conversion {
  if (from === to && shift === 0) return { bytes: source, overflow: false }
  const numbers = toFloat32(source, from)
  if (shift !== 0) for (let index = 0; index < numbers.length; index++) numbers[index] = (numbers[index] ?? 0) + shift
  if (to === 'F32')
    return { bytes: new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength), overflow: false }
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length)
  const halves = new Uint16Array(words.length)
  const [encode, infinity] = to === 'F16' ? [halfBits, 0x7c00] : [brainBits, 0x7f80]
  let overflow = false
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? 0
    const half = encode(word)
    if ((half & 0x7fff) === infinity && (word & 0x7fffffff) < 0x7f800000) overflow = true
    halves[index] = half
  }
  return { bytes: new Uint8Array(halves.buffer), overflow }
}

/** A copy, which may be changed. */
function toFloat32(source: Uint8Array, from: ElementType): Float32Array {
  const count = source.length / elementBytes[from]
  if (from === 'F32') return new Float32Array(source.buffer, source.byteOffset, count).slice()
  const halves = new Uint16Array(source.buffer, source.byteOffset, count)
  const words = new Uint32Array(count)
  if (from === 'BF16') {
    for (let index = 0; index < count; index++) words[index] = (halves[index] ?? 0) << 16
  } else {
    const table = (halfTable ??= Uint32Array.from({ length: 65_536 }, (_, half) => wordOfHalf(half)))
    for (let index = 0; index < count; index++) words[index] = table[halves[index] ?? 0] ?? 0
  }
  return new Float32Array(words.buffer)
}

let halfTable: Uint32Array | undefined

const float = new Float32Array(1)
const word = new Uint32Array(float.buffer)

function bitsOf(value: number): number {
  float[0] = value
  return word[0] ?? 0
}

/** The bits of an F32 for those of an F16, which it holds exactly. */
function wordOfHalf(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >>> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign | bitsOf(fraction * 2 ** -24)
  return sign | ((exponent === 31 ? 0xff : exponent + 112) << 23) | (fraction << 13)
}

/** The bits of the nearest F16 for those of an F32. */
function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const size = bits & 0x7fffffff
  if (size > 0x7f800000) return sign | 0x7e00
  // From 2^16 on, and what is rounded up to it.
  if (size >= 0x477ff000) return sign | 0x7c00
  if (size < 0x38800000) {
    // Subnormal: next to 0.5 the last bit of an F32 is worth 2^-24, so the addition rounds.
    word[0] = size
    return sign | (bitsOf((float[0] ?? 0) + 0.5) - 0x3f000000)
  }
  return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13)
}

/** The bits of the nearest BF16 for those of an F32. */
function brainBits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
}
