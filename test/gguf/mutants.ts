/**
 * Seeded damage to a valid GGUF file: one to three edits before its weights. Half of them hit single bytes anywhere, the
 * others put interesting numbers into fields (counts, lengths, types, values, dimensions, offsets), where a reader that
 * trusts them goes wrong.
 */
import { randomBelow, seededRandom, type Random } from '../support/seeded-random.js'
import { numberArrays, valueTypes } from '../../lib/gguf/value.js'

interface Field {
  readonly offset: number
  readonly width: number
}

interface Anatomy {
  readonly fields: readonly Field[]
  /** First byte of the weights. */
  readonly headerBytes: number
}

const anatomies = new WeakMap<Uint8Array, Anatomy>()

/** A damaged copy of `bytes`, which must be a valid little-endian file; the same for the same seed. */
export function mutate(bytes: Uint8Array, seed: number): Uint8Array {
  const known = anatomies.get(bytes)
  const anatomy = known ?? dissect(bytes)
  if (known === undefined) anatomies.set(bytes, anatomy)
  const random = seededRandom(Math.imul(seed + 1, 0x2545f491))
  let mutant: Uint8Array = new Uint8Array(bytes)
  const edits = 1 + randomBelow(random, 3)
  for (let edit = 0; edit < edits; edit++) mutant = damage(mutant, anatomy, random)
  return mutant
}

function damage(mutant: Uint8Array, { fields, headerBytes }: Anatomy, random: Random): Uint8Array {
  const at = randomBelow(random, headerBytes)
  const kind = randomBelow(random, 20)
  if (kind < 3) mutant[at] = (mutant[at] ?? 0) ^ (1 << randomBelow(random, 8))
  else if (kind < 6) mutant[at] = randomBelow(random, 256)
  else if (kind < 9) mutant[at] = [0, 1, 0x7f, 0x80, 0xff][randomBelow(random, 5)] ?? 0
  else if (kind === 9) return resize(mutant, at, random)
  else setField(mutant, fields[randomBelow(random, fields.length)] ?? { offset: at, width: 1 }, random)
  return mutant
}

/** Takes out or puts in a byte, so that all that follows is read elsewhere; or cuts the file. */
function resize(mutant: Uint8Array, at: number, random: Random): Uint8Array {
  const rest = mutant.subarray(at)
  switch (randomBelow(random, 3)) {
    case 0:
      return Buffer.concat([mutant.subarray(0, at), rest.subarray(1)])
    case 1:
      return Buffer.concat([mutant.subarray(0, at), Uint8Array.of(randomBelow(random, 256)), rest])
    default:
      return mutant.slice(0, randomBelow(random, mutant.length))
  }
}

const interesting = [0n, 1n, 2n, 3n, 7n, 8n, 16n, 31n, 32n, 64n, 100n, 255n, 256n, 512n, 513n, 1024n, 65_535n]
const large = [31n, 32n, 33n, 62n, 63n, 64n].flatMap((power) => [2n ** power - 1n, 2n ** power, 2n ** power + 1n])
/** As float32: NaN, infinities, -1, 1e-30, 1e30. */
const floats = [0x7fc00000n, 0x7f800000n, 0xff800000n, 0xbf800000n, 0x0da24260n, 0x7149f2can]

function setField(mutant: Uint8Array, { offset, width }: Field, random: Random): void {
  if (offset + width > mutant.length) return
  const view = new DataView(mutant.buffer, mutant.byteOffset + offset, width)
  const read = () => {
    let value = 0n
    for (let index = width - 1; index >= 0; index--) value = (value << 8n) | BigInt(view.getUint8(index))
    return value
  }
  const pick = (values: readonly bigint[]) => values[randomBelow(random, values.length)] ?? 0n
  const choices = [
    () => pick(interesting),
    () => pick(interesting),
    () => pick(large),
    () => (width === 4 ? pick(floats) : pick(large)),
    () => read() + 1n,
    () => read() - 1n,
    () => read() * 2n,
    () => read() / 2n,
    () => -read(),
    () => BigInt(randomBelow(random, 2 ** 16)),
  ]
  let value = BigInt.asUintN(width * 8, choices[randomBelow(random, choices.length)]?.() ?? 0n)
  for (let index = 0; index < width; index++) {
    view.setUint8(index, Number(value & 0xffn))
    value >>= 8n
  }
}

function dissect(bytes: Uint8Array): Anatomy {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fields: Field[] = []
  let at = 4
  const take = (width: number): number => {
    fields.push({ offset: at, width })
    at += width
    return width === 8 ? Number(view.getBigUint64(at - 8, true)) : width === 4 ? view.getUint32(at - 4, true) : 0
  }
  const string = () => {
    const length = take(8)
    at += length
  }
  const value = (type: (typeof valueTypes)[number] | undefined) => {
    if (type === undefined || type === 'array') throw new Error('the file to be damaged is not valid')
    if (type === 'string') string()
    else take(numberArrays[type].BYTES_PER_ELEMENT)
  }
  take(4)
  const tensorCount = take(8)
  const keyCount = take(8)
  for (let key = 0; key < keyCount; key++) {
    string()
    const type = valueTypes[take(4)]
    if (type !== 'array') {
      value(type)
      continue
    }
    const elementType = valueTypes[take(4)]
    const count = take(8)
    for (let element = 0; element < count; element++) {
      const before = fields.length
      value(elementType)
      // Else the vocabulary would get nearly all of the damage.
      if (element % 32 !== 0) fields.length = before
    }
  }
  for (let tensor = 0; tensor < tensorCount; tensor++) {
    string()
    const dimensions = take(4)
    for (let dimension = 0; dimension < dimensions; dimension++) take(8)
    take(4)
    take(8)
  }
  return { fields, headerBytes: at }
}
