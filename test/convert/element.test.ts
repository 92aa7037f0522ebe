import { describe, expect, it } from 'vitest'
import { convertElements } from '../../lib/convert/element.js'
import { seededRandom } from '../support/seeded-random.js'

const words = (bytes: Uint8Array) => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
const halves = (bytes: Uint8Array) => new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2)
const bytesOf = (numbers: Float32Array | Uint16Array | Uint32Array) => new Uint8Array(numbers.buffer)
const every16 = Uint16Array.from({ length: 65_536 }, (_, bits) => bits)
const valueOf = (half: number) => {
  const exponent = (half >>> 10) & 31
  const size = exponent === 0 ? (half & 1023) * 2 ** -24 : (1024 + (half & 1023)) * 2 ** (exponent - 25)
  return half & 0x8000 ? -size : size
}
const isNumber = (half: number, infinity: number) => (half & 0x7fff) < infinity

describe('elements', () => {
  it.each([
    ['F16', 0x7c00],
    ['BF16', 0x7f80],
  ] as const)('of %s survive the way to F32 and back, all 65,536 of them', (type, infinity) => {
    const wide = convertElements(bytesOf(every16.slice()), type, 'F32').bytes
    const back = convertElements(wide, 'F32', type)
    expect(back.overflow).toBe(false)
    for (const half of every16) {
      const found = halves(back.bytes)[half]!
      if ((half & 0x7fff) <= infinity) expect(found).toBe(half)
      else expect(isNumber(found, infinity + 1), String(half)).toBe(false)
    }
  })

  it('of F16 mean what IEEE 754 says', () => {
    const wide = new Float32Array(convertElements(bytesOf(every16.slice()), 'F16', 'F32').bytes.buffer)
    for (const half of every16) if (isNumber(half, 0x7c00)) expect(Object.is(wide[half], valueOf(half))).toBe(true)
  })

  it('become the nearest F16, the even one of two', () => {
    const random = seededRandom(1)
    const numbers = Float32Array.from({ length: 200_000 }, () => (random() - 0.5) * 2 ** (random() * 46 - 28))
    const found = halves(convertElements(bytesOf(numbers), 'F32', 'F16').bytes)
    for (const [index, number] of numbers.entries()) {
      if (Math.abs(number) >= 65_504) continue
      const half = found[index]!
      const error = Math.abs(valueOf(half) - number)
      for (const other of [half - 1, half + 1].filter((bits) => (bits & 0x8000) === (half & 0x8000) && bits >= 0)) {
        if (!isNumber(other, 0x7c00)) continue
        const otherError = Math.abs(valueOf(other) - number)
        if (otherError < error || (otherError === error && half % 2 === 1)) throw new Error(`${number} became ${half}`)
      }
    }
  })

  it.each([
    ['F16', 65_519.99, 0x7bff, false],
    ['F16', 65_520, 0x7c00, true],
    ['F16', -1e30, 0xfc00, true],
    ['F16', Infinity, 0x7c00, false],
    ['F16', 2 ** -25, 0, false],
    ['F16', 1.5 * 2 ** -24, 2, false],
    ['BF16', 3.4e38, 0x7f80, true],
    ['BF16', 1 + 2 ** -8, 0x3f80, false],
    ['BF16', 1 + 3 * 2 ** -8, 0x3f82, false],
  ] as const)('of %s hold %d as %i', (type, number, half, overflow) => {
    const converted = convertElements(bytesOf(Float32Array.of(number)), 'F32', type)
    expect([halves(converted.bytes)[0], converted.overflow]).toEqual([half, overflow])
  })

  it('are shifted as F32, whatever they were', () => {
    const quarter = convertElements(bytesOf(Uint16Array.of(0x3e80)), 'BF16', 'F32', 1).bytes
    expect(new Float32Array(quarter.buffer)[0]).toBe(1.25)
    const source = Float32Array.of(1)
    expect(words(convertElements(bytesOf(source), 'F32', 'F32', 1).bytes)[0]).toBe(0x40000000)
    expect(source[0]).toBe(1)
  })
})
